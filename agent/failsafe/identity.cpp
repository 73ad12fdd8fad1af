#include "agent/failsafe/identity.h"

#include <grp.h>
#include <pwd.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>

namespace lunar {

Result<Identity> find_identity(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (const passwd* user = getpwnam(name.c_str()); user != nullptr)
      return Identity{.uid = user->pw_uid, .gid = user->pw_gid, .name = name};
  }
  return fail("no user for the gateway process: create a system user 'lunar'");
}

Result<> become(const Identity& identity) {
  // The bounding set can only be emptied while CAP_SETPCAP is held, so it comes first.
  for (int capability = 0; cap_get_bound(capability) >= 0; ++capability) {
    if (cap_get_bound(capability) == 1 && cap_drop_bound(capability) != 0 && errno != EPERM)
      return fail("cannot empty the capability bounding set", errno);
  }
  if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) != 0)
    return fail("cannot clear ambient capabilities", errno);
  if (geteuid() == 0 && setgroups(0, nullptr) != 0) return fail("cannot leave the supplementary groups", errno);
  if (setresgid(identity.gid, identity.gid, identity.gid) != 0) return fail("cannot become the group", errno);
  if (setresuid(identity.uid, identity.uid, identity.uid) != 0) return fail("cannot become the user", errno);
  const cap_t none = cap_init();
  const int cleared = cap_set_proc(none);
  cap_free(none);
  if (cleared != 0) return fail("cannot drop capabilities", errno);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail("cannot forbid new privileges", errno);
  return {};
}

}  // namespace lunar
