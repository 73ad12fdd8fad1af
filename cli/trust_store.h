// Trust stores of a machine: what `ca install` adds to them, and what `ca uninstall` takes away. Roots that are not
// ours are never touched: ours is what carries store_name() of its own fingerprint.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "cli/trust_roots.h"
#include "cli/trust_tree.h"

namespace lunar::cli {

// An error with what the kernel said.
[[nodiscard]] std::string full_text(const Error& error);

enum class Effect : uint8_t {
  added,
  removed,
  unchanged,  // was so already
  skipped,    // there is no such store, or nothing to change it with
  failed,     // the store is as it was
};
[[nodiscard]] std::string_view name_of(Effect effect);

struct Step {
  Effect effect;
  std::string place;
  std::string text;
};

[[nodiscard]] Step failed_step(std::string place, const Error& error);

struct TrustTask {
  FileTree tree;
  std::vector<Root> roots;            // to add; when removing: these alone, or all of ours where it is empty
  std::vector<std::string> nss = {};  // databases, or home folders with some
  bool dry_run = false;               // says what would be done

  [[nodiscard]] bool concerns(std::string_view fingerprint) const;  // when removing
};

// update-ca-certificates, which also feeds the stores of its hooks: those come after it.
[[nodiscard]] std::vector<Step> add_to_system(const TrustTask& task);
[[nodiscard]] std::vector<Step> remove_from_system(const TrustTask& task);

[[nodiscard]] std::vector<Step> add_to_java(const TrustTask& task);
[[nodiscard]] std::vector<Step> remove_from_java(const TrustTask& task);

[[nodiscard]] std::vector<Step> add_to_nss(const TrustTask& task);
[[nodiscard]] std::vector<Step> remove_from_nss(const TrustTask& task);

}  // namespace lunar::cli
