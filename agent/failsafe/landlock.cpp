#include "agent/failsafe/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "agent/base/fd.h"

namespace lunar {
namespace {

// Newer than the headers of Debian 12.
constexpr uint64_t kTruncate = 1ULL << 14;             // ABI 3, Linux 6.2
constexpr uint64_t kRefer = LANDLOCK_ACCESS_FS_REFER;  // ABI 2, Linux 5.19

constexpr uint64_t kAbi1 = (LANDLOCK_ACCESS_FS_MAKE_SYM << 1) - 1;
constexpr uint64_t kFileRights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate;
constexpr uint64_t kRead = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
constexpr uint64_t kWrite = kRead | LANDLOCK_ACCESS_FS_WRITE_FILE | kTruncate | LANDLOCK_ACCESS_FS_MAKE_REG |
                            LANDLOCK_ACCESS_FS_REMOVE_FILE | kRefer;

uint64_t rights_of_abi(long abi) {
  uint64_t rights = kAbi1;
  if (abi >= 2) rights |= kRefer;
  if (abi >= 3) rights |= kTruncate;
  return rights;
}

Result<> allow(int ruleset, const std::string& path, uint64_t rights) {
  const Fd place(open(path.c_str(), O_PATH | O_CLOEXEC));
  if (!place) return {};  // what is not there needs no right
  struct stat status{};
  if (fstat(place.get(), &status) != 0) return fail("cannot look at " + path, errno);
  if (!S_ISDIR(status.st_mode)) rights &= kFileRights;
  const landlock_path_beneath_attr rule{.allowed_access = rights, .parent_fd = place.get()};
  if (syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) != 0)
    return fail("cannot keep " + path + " visible", errno);
  return {};
}

}  // namespace

Result<bool> confine_files(const FileView& view) {
  const long abi = syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  if (abi < 1) return false;
  const landlock_ruleset_attr handled{.handled_access_fs = rights_of_abi(abi)};
  const Fd ruleset(static_cast<int>(syscall(SYS_landlock_create_ruleset, &handled, sizeof handled, 0)));
  if (!ruleset) return fail("cannot create a Landlock ruleset", errno);
  for (const std::string& path : view.read) {
    if (auto added = allow(ruleset.get(), path, kRead & handled.handled_access_fs); !added)
      return std::unexpected(added.error());
  }
  for (const std::string& path : view.write) {
    if (auto added = allow(ruleset.get(), path, kWrite & handled.handled_access_fs); !added)
      return std::unexpected(added.error());
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail("cannot forbid new privileges", errno);
  if (syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return fail("cannot enter the Landlock ruleset", errno);
  return true;
}

}  // namespace lunar
