// Databases of NSS (cert9.db), through the one program that reads and writes them.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/trust_roots.h"
#include "flowengine/result.h"

namespace lunar::cli {

inline constexpr const char* no_certutil = "certutil is not installed: apt install libnss3-tools";

struct NssEntry {
  std::string nickname;
  std::string fingerprint;
  bool trusted = false;  // to certify servers
};

// Folders are such with a cert9.db, as this process sees them. The program runs as the owner of that file, who may have
// put anything into it.
class Certutil {
 public:
  [[nodiscard]] static std::optional<Certutil> find();

  [[nodiscard]] Result<std::vector<NssEntry>> entries(const std::string& folder) const;
  // Of the bytes of a cert9.db that anybody may have made: in a copy without its list of modules, which names libraries
  // to load, and as a user who may do nothing.
  [[nodiscard]] Result<std::vector<NssEntry>> entries_of(std::string_view database) const;
  [[nodiscard]] Result<> add(const std::string& folder, const Root& root) const;
  [[nodiscard]] Result<> remove(const std::string& folder, const std::string& nickname) const;

 private:
  explicit Certutil(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] Result<std::vector<NssEntry>> list(const std::string& folder, const std::string& access) const;
  [[nodiscard]] Result<std::string> run(const std::string& folder, std::vector<std::string> words,
                                        const std::string& input) const;
  std::string path_;
};

}  // namespace lunar::cli
