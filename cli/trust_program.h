// Programs of the machine that know its trust stores.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/result.h"

namespace lunar::cli {

// In the folders of PATH, then in those of administrators; empty if it is in none.
[[nodiscard]] std::string find_program(const std::string& name);

struct Owner {
  uid_t user;
  gid_t group;
};

struct ProgramCall {
  std::vector<std::string> words;  // the first one is a path
  std::string input = {};
  std::optional<Owner> as = {};  // whom the program runs as, without other groups; nothing: as we do
};

struct ProgramEnd {
  int code = 0;  // of exit; 128 + N: it died of signal N
  std::string out;
  std::string err;

  [[nodiscard]] std::string reason() const;  // the last line of what it said, or the code
};

// Waits for its end. The program gets a C locale and PATH, and nothing else of our environment. An error: there was
// no process.
[[nodiscard]] Result<ProgramEnd> run_program(const ProgramCall& call);

// Readable to its owner alone; goes with what is in it.
class TemporaryFolder {
 public:
  TemporaryFolder();  // throws std::filesystem::filesystem_error
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder();
  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] std::string file(std::string_view name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace lunar::cli
