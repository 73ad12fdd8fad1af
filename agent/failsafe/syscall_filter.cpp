#include "agent/failsafe/syscall_filter.h"

#include <linux/bpf.h>
#include <linux/sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <memory>
#include <span>
#include <string>
#include <utility>

namespace lunar {
namespace {

// The sanitizers' runtimes stop the world by a helper process that traces its parent.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kSanitized = true;
#else
constexpr bool kSanitized = false;
#endif
#else
constexpr bool kSanitized = false;
#endif

constexpr std::array kMemoryAndTime{
    "brk",           "mmap",         "munmap",       "mremap",     "mprotect",  "madvise",   "mincore",
    "mlock",         "mlock2",       "munlock",      "membarrier", "nanosleep", "getrandom", "clock_nanosleep",
    "clock_gettime", "clock_getres", "gettimeofday", "time",       "times",     "sysinfo",   "memfd_create",
};

constexpr std::array kThreads{
    "futex",
    "futex_waitv",
    "set_robust_list",
    "get_robust_list",
    "rseq",
    "set_tid_address",
    "gettid",
    "exit",
    "exit_group",
    "sched_yield",
    "sched_getaffinity",
    "sched_setaffinity",
    "sched_getparam",
    "sched_getscheduler",
    "getcpu",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "rt_sigtimedwait",
    "rt_sigpending",
    "sigaltstack",
    "restart_syscall",
    "arch_prctl",
    "getpid",
    "getppid",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getgroups",
    "getresuid",
    "getresgid",
    "getrlimit",
    "getrusage",
    "uname",
    "getcwd",
    "umask",
    "capget",
    "getpgrp",
    "getpgid",
    "getsid",
};

constexpr std::array kDescriptors{
    "read",
    "readv",
    "pread64",
    "preadv",
    "write",
    "writev",
    "pwrite64",
    "pwritev",
    "close",
    "close_range",
    "dup",
    "dup2",
    "dup3",
    "fcntl",

    "lseek",
    "pipe2",
    "splice",
    "tee",
    "vmsplice",
    "sendfile",
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "timerfd_create",
    "timerfd_settime",
    "timerfd_gettime",
    "signalfd4",
};

// Which files these reach is decided by Landlock.
constexpr std::array kFiles{
    "open",      "openat",  "openat2",   "stat",      "fstat",      "lstat",     "newfstatat",        "statx",
    "statfs",    "fstatfs", "access",    "faccessat", "faccessat2", "readlink",  "readlinkat",        "getdents64",
    "mkdir",     "mkdirat", "unlink",    "unlinkat",  "rename",     "renameat",  "renameat2",         "ftruncate",
    "fallocate", "fsync",   "fdatasync", "flock",     "fchmod",     "fadvise64", "name_to_handle_at",
};

constexpr std::array kSockets{
    "connect",     "bind",       "listen",     "accept",         "accept4",        "shutdown",          "getsockname",
    "getpeername", "sendto",     "sendmsg",    "sendmmsg",       "recvfrom",       "recvmsg",           "recvmmsg",
    "setsockopt",  "getsockopt", "socketpair", "io_uring_setup", "io_uring_enter", "io_uring_register",
};

constexpr std::array kSanitizerOnly{
    "clone", "clone3",          "ptrace",           "wait4",       "prctl", "kill", "tgkill", "fork",
    "vfork", "set_thread_area", "process_vm_readv", "personality",
};

struct Release {
  void operator()(void* filter) const { seccomp_release(filter); }
};
using Filter = std::unique_ptr<void, Release>;

int allow_if(const Filter& filter, int call, const scmp_arg_cmp& condition) {
  return seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 1, &condition);
}

int allow_all(const Filter& filter, std::span<const char* const> names) {
  for (const char* name : names) {
    const int call = seccomp_syscall_resolve_name(name);
    if (call == __NR_SCMP_ERROR) continue;  // unknown to this libseccomp or architecture
    if (const int error = seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, call, 0, nullptr); error != 0)
      return error;
  }
  return 0;
}

// Calls of which only some uses are needed.
int allow_partly(const Filter& filter) {
  const auto self = static_cast<scmp_datum_t>(getpid());
  const std::array conditions{
      std::pair{SCMP_SYS(clone), SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD)},
      std::pair{SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, BPF_MAP_LOOKUP_ELEM)},
      std::pair{SCMP_SYS(bpf), SCMP_A0(SCMP_CMP_EQ, BPF_MAP_UPDATE_ELEM)},
      std::pair{SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX)},
      std::pair{SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET)},
      std::pair{SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_INET6)},
      std::pair{SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_NETLINK)},  // getaddrinfo() lists the addresses
      std::pair{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONREAD)},
      std::pair{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, FIONBIO)},
      std::pair{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TIOCOUTQ)},
      std::pair{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, TCGETS)},        // isatty()
      std::pair{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, SIOCGIFINDEX)},  // scopes of IPv6 addresses
      std::pair{SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, SIOCGIFNAME)},
      std::pair{SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_SET_NAME)},
      std::pair{SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, PR_GET_NAME)},
      std::pair{SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, 0)},
      std::pair{SCMP_SYS(prlimit64), SCMP_A0(SCMP_CMP_EQ, self)},
      std::pair{SCMP_SYS(kill), SCMP_A0(SCMP_CMP_EQ, self)},  // abort() and friends
      std::pair{SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, self)},
  };
  for (const auto& [call, condition] : conditions) {
    if (const int error = allow_if(filter, call, condition); error != 0) return error;
  }
  // Its flags are behind a pointer: glibc falls back to clone() when it does not exist.
  return seccomp_rule_add_array(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0, nullptr);
}

}  // namespace

Result<> confine_syscalls() {
  const Filter filter(seccomp_init(SCMP_ACT_ERRNO(EPERM)));
  if (!filter) return fail("cannot create a system call filter");
  int error = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  for (const auto names : {std::span<const char* const>(kMemoryAndTime), std::span<const char* const>(kThreads),
                           std::span<const char* const>(kDescriptors), std::span<const char* const>(kFiles),
                           std::span<const char* const>(kSockets)}) {
    if (error == 0) error = allow_all(filter, names);
  }
  if (error == 0 && kSanitized) error = allow_all(filter, kSanitizerOnly);
  if (error == 0)
    error = kSanitized ? allow_all(filter, std::array{"socket", "prlimit64", "bpf", "ioctl"}) : allow_partly(filter);
  if (error == 0) error = seccomp_load(filter.get());
  if (error != 0) return fail("cannot confine the system calls of the gateway", -error);
  return {};
}

}  // namespace lunar
