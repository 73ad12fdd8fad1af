// Which roots the programs on this machine really believe: what they are made with, where that looks, and whether the
// root of the local authority is there.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/machine.h"
#include "cli/runtimes_process.h"
#include "cli/trust_roots.h"

namespace lunar::cli {

enum class StoreKind : uint8_t {
  certificates,  // a file of PEM or DER, or a folder of such files
  hashed,        // a folder in which OpenSSL looks up names
  keystore,      // of Java
  database,      // of NSS
};

struct StorePlace {
  StoreKind kind;
  std::string path;         // in the process's tree
  std::string reason = {};  // the variable or option that names it; empty: it is the usual one
};

// What verifies servers within a process. It believes the roots of all its places.
struct TrustUse {
  std::string runtime;             // for people: OpenSSL, Node.js
  std::vector<StorePlace> places;  // empty: it has a list of its own and nothing else
  std::string setting = {};        // a variable of `ca env` that helps; empty: `ca install` does
};

// What is known here of the process. Several libraries may verify servers in one.
[[nodiscard]] std::vector<TrustUse> trust_uses(const Process& process);
[[nodiscard]] TrustUse java_use(const Process& process);
// Nothing: this Python finds no certifi, the list that requests and httpx come with.
[[nodiscard]] std::optional<TrustUse> certifi_use(const Process& process);

// The file that a variable of the process names.
[[nodiscard]] std::optional<StorePlace> named_file(const Process& process, const char* variable);

// One check for all processes that are in the same state. `target` is a process id, or what `attach` takes.
[[nodiscard]] std::vector<Check> check_trust_of(const std::string& target, const Root& root);

// Whether the system's store has the root.
[[nodiscard]] Check check_trust_of_system(const FileTree& tree, const Root& root);

}  // namespace lunar::cli
