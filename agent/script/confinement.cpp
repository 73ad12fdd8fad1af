#include "agent/script/confinement.h"

#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <ctime>
#include <memory>
#include <utility>

namespace lunar::script {
namespace {

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;  // their shadow memory takes terabytes of addresses
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

// The largest heap, the documents in three forms, and the program itself.
constexpr rlim_t kAddressSpace = rlim_t{2} << 30;

// What is not here fails with EPERM: a script has no way to ask for it, and the C library gets along.
constexpr std::array kCalls{
    "brk",        "munmap",          "mremap",       "madvise",        "futex",        "exit",
    "exit_group", "clock_gettime",   "gettimeofday", "time",           "sched_yield",  "rt_sigreturn",
    "getrandom",  "restart_syscall", "setitimer",    "rt_sigprocmask", "rt_sigaction",
};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};

int add_rules(void* filter, int channel) {
  for (const char* name : kCalls) {
    const int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) continue;
    if (const int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 0, nullptr); error != 0) return error;
  }
  // AddressSanitizer looks for other stacks whenever one is left by longjmp().
  if (kSanitized) seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, SCMP_SYS(sigaltstack), 0, nullptr);
  const auto own = static_cast<scmp_datum_t>(channel);
  const std::array partly{
      std::pair{SCMP_SYS(read), SCMP_A0(SCMP_CMP_EQ, own)},
      std::pair{SCMP_SYS(write), SCMP_A0(SCMP_CMP_EQ, own)},
      std::pair{SCMP_SYS(mmap), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
      std::pair{SCMP_SYS(mprotect), SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)},
  };
  for (const auto& [call, condition] : partly) {
    if (const int error = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition); error != 0) return error;
  }
  return 0;
}

void set_limit(int resource, rlim_t value) {
  const rlimit limit{.rlim_cur = value, .rlim_max = value};
  setrlimit(static_cast<__rlimit_resource>(resource), &limit);
}

}  // namespace

Result<> confine_worker(int channel) {
  if (channel > 0) close_range(0, static_cast<unsigned>(channel) - 1, 0);
  close_range(static_cast<unsigned>(channel) + 1, ~0U, 0);
  tzset();  // reads the time zone while there are files
  if (!kSanitized) set_limit(RLIMIT_AS, kAddressSpace);
  set_limit(RLIMIT_CORE, 0);
  set_limit(RLIMIT_FSIZE, 0);
  set_limit(RLIMIT_NPROC, 0);
  if (prctl(PR_SET_DUMPABLE, 0) != 0) return fail("cannot shut a script worker off", errno);
  const std::unique_ptr<void, Release> filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return fail("cannot create the system call filter of a script worker");
  int error = add_rules(filter.get(), channel);
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return fail("cannot confine the system calls of a script worker", -error);
  return {};
}

}  // namespace lunar::script
