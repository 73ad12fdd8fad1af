#include "cli/trust_certutil.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <set>
#include <sstream>
#include <utility>

#include "agent/config/durable_file.h"
#include "cli/trust_program.h"

namespace lunar::cli {
namespace {

// "Name of a root        C,," gives the name and whether the first flags have a C; nothing: a title.
std::optional<std::pair<std::string, bool>> listed(std::string line) {
  line.resize(line.find_last_not_of(" \t") + 1);
  const size_t flags = line.find_last_of(" \t");
  if (flags == std::string::npos) return std::nullopt;
  const std::string trust = line.substr(flags + 1);
  const size_t end = line.find_last_not_of(" \t", flags);
  const bool is_trust =
      trust.find_first_not_of("pPcCTuwG,") == std::string::npos && trust.find(',') != std::string::npos;
  if (end == std::string::npos || !is_trust) return std::nullopt;
  return std::pair(line.substr(0, end + 1), trust.substr(0, trust.find(',')).find('C') != std::string::npos);
}

}  // namespace

std::optional<Certutil> Certutil::find() {
  std::string path = find_program("certutil");
  if (path.empty()) return std::nullopt;
  return Certutil(std::move(path));
}

Result<std::string> Certutil::run(const std::string& folder, std::vector<std::string> words,
                                  const std::string& input) const {
  struct stat status{};
  if (::stat((folder + "/cert9.db").c_str(), &status) != 0) return fail("cannot read " + folder + "/cert9.db", errno);
  words.insert(words.begin(), path_);
  words.insert(words.end(), {"-d", "sql:" + folder});
  ProgramCall call{.words = std::move(words), .input = input};
  if (::geteuid() == 0 && status.st_uid != 0) call.as = Owner{status.st_uid, status.st_gid};
  auto ended = run_program(call);
  if (!ended) return std::unexpected(ended.error());
  if (ended->code != 0) return fail("certutil failed: " + ended->reason());
  return std::move(ended->out);
}

Result<std::vector<NssEntry>> Certutil::entries(const std::string& folder) const { return list(folder, ""); }

Result<std::vector<NssEntry>> Certutil::entries_of(std::string_view database) const {
  constexpr uid_t nobody = 65534;
  const TemporaryFolder copy;
  const std::string file = copy.file("cert9.db");
  if (auto written = write_durably(file, database, 0600); !written) return std::unexpected(written.error());
  if (::geteuid() == 0) {
    for (const std::string& path : {file, copy.path()})
      if (::chown(path.c_str(), nobody, nobody) != 0) return fail("cannot give away " + path, errno);
  }
  return list(copy.path(), "-X");  // writable, because the database of keys beside it is missing
}

Result<std::vector<NssEntry>> Certutil::list(const std::string& folder, const std::string& access) const {
  std::vector<std::string> words{"-L"};
  if (!access.empty()) words.push_back(access);
  const auto listing = run(folder, words, "");
  if (!listing) return std::unexpected(listing.error());
  std::vector<NssEntry> out;
  std::istringstream lines(*listing);
  for (std::string line; std::getline(lines, line);) {
    const auto entry = listed(line);
    if (!entry) continue;
    std::vector<std::string> one = words;
    one.insert(one.end(), {"-n", entry->first, "-a"});
    const auto pem = run(folder, std::move(one), "");
    if (!pem) return std::unexpected(pem.error());
    for (const std::string& fingerprint : fingerprints_in(*pem))
      out.push_back({.nickname = entry->first, .fingerprint = fingerprint, .trusted = entry->second});
  }
  return out;
}

Result<> Certutil::add(const std::string& folder, const Root& root) const {
  const auto added = run(folder, {"-A", "-a", "-n", root.name(), "-t", "C,,"}, root.pem);
  if (!added) return std::unexpected(added.error());
  return {};
}

Result<> Certutil::remove(const std::string& folder, const std::string& nickname) const {
  const auto removed = run(folder, {"-D", "-n", nickname}, "");
  if (!removed) return std::unexpected(removed.error());
  return {};
}

}  // namespace lunar::cli
