#include "agent/failsafe/sandbox.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/bpf.h>
#include <netdb.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "agent/base/fd.h"
#include "agent/config/durable_file.h"

using namespace lunar;

namespace {

// A folder of its own for each test, gone at its end.
class Folder {
 public:
  Folder() {
    char name[] = "/tmp/lunar-sandbox-XXXXXX";
    REQUIRE(mkdtemp(name) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    for (const char* name : {"/a", "/b"}) unlink((path_ + name).c_str());
    rmdir(path_.c_str());
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

using Check = std::function<std::string(const Confinement&)>;

// Runs the check in a sandboxed child; the text of the first complaint comes back, empty where there is none.
std::string sandboxed(const std::string& write_folder, const Check& check) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::string complaint;
    const auto confined = sandbox({.config_dir = "/etc", .write_folders = {write_folder, write_folder + "/absent"}});
    if (!confined) {
      complaint = confined.error().text;
    } else if (!confined->weakened.empty()) {
      complaint = confined->weakened.front();
    } else {
      complaint = check(*confined);
    }
    if (write(ends[1], complaint.data(), complaint.size()) < 0) _exit(2);
    _exit(0);
  }
  close(ends[1]);
  std::string complaint;
  char bytes[512];
  ssize_t size = 0;
  while ((size = read(ends[0], bytes, sizeof bytes)) > 0) complaint.append(bytes, static_cast<size_t>(size));
  close(ends[0]);
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "the child ended with status " + std::to_string(status);
  return complaint;
}

std::string expect_errno(const char* what, long result, int expected) {
  const int got = result < 0 ? errno : 0;
  if (got == expected) return "";
  return std::string(what) + ": errno " + std::to_string(got) + ", not " + std::to_string(expected);
}

bool can_open(const std::string& path, int flags) {
  const Fd fd(open(path.c_str(), flags | O_CLOEXEC, 0600));
  return static_cast<bool>(fd);
}

}  // namespace

TEST_CASE("sandbox: files are read where the gateway needs them, and written only in its folders") {
  Folder allowed, forbidden;
  CHECK(sandboxed(allowed.path(), [&](const Confinement&) -> std::string {
          if (!can_open("/etc/hosts", O_RDONLY)) return "/etc/hosts cannot be read";
          if (!can_open("/proc/self/status", O_RDONLY)) return "/proc cannot be read";
          if (can_open("/etc/hosts", O_WRONLY)) return "/etc/hosts can be written";
          if (can_open(forbidden.path() + "/a", O_WRONLY | O_CREAT)) return "a file can be created in a foreign folder";
          if (can_open(forbidden.path(), O_RDONLY | O_DIRECTORY)) return "a foreign folder can be read";
          const std::string a = allowed.path() + "/a", b = allowed.path() + "/b";
          if (!can_open(a, O_WRONLY | O_CREAT | O_TRUNC)) return "the log cannot be written";
          if (rename(a.c_str(), b.c_str()) != 0) return "the log cannot be rotated";
          if (unlink(b.c_str()) != 0) return "the log cannot be removed";
          return "";
        }) == "");
}

TEST_CASE("sandbox: a file in a folder of the gateway is replaced durably, with its mode") {
  Folder folder;
  CHECK(sandboxed(folder.path(), [&](const Confinement&) -> std::string {
          const std::string a = folder.path() + "/a";
          for (const char* text : {"first", "second"}) {
            if (auto replaced = replace_durably(a, folder.path() + "/b", text, 0640); !replaced)
              return replaced.error().text + ": " + strerror(replaced.error().os_error);
          }
          const auto file = read_whole_file(a, 64);
          if (!file || file->text != "second" || file->mode != 0640) return "the file is not the new one";
          return access((folder.path() + "/b").c_str(), F_OK) == 0 ? "the draft was left" : "";
        }) == "");
}

TEST_CASE("sandbox: a process knows below which folders it can still write") {
  Folder allowed, forbidden, elsewhere;
  const std::string link = elsewhere.path() + "/a", above = allowed.path() + "/../" + allowed.path().substr(5);
  REQUIRE(symlink(allowed.path().c_str(), link.c_str()) == 0);
  CHECK(sandboxed(allowed.path(), [&](const Confinement& confined) -> std::string {
          for (const std::string& folder : {allowed.path(), allowed.path() + "/deeper/still", link, above})
            if (!confined.may_write_in(folder)) return folder + " is not known";
          for (const std::string& folder : {forbidden.path(), elsewhere.path(), std::string("/tmp"), std::string("/"),
                                            allowed.path() + "x", allowed.path() + "/../x"})
            if (confined.may_write_in(folder)) return folder + " is said to be writable";
          if (!can_open(link + "/b", O_WRONLY | O_CREAT)) return "nothing can be written through the link";
          return "";
        }) == "");
  CHECK(Confinement{}.may_write_in("/"));
}

TEST_CASE("sandbox: no other program, no trace of another process, no kernel interface beyond the needed") {
  Folder folder;
  CHECK(sandboxed(folder.path(), [](const Confinement&) {
          char* arguments[] = {const_cast<char*>("/bin/true"), nullptr};
          return expect_errno("execve", execve("/bin/true", arguments, arguments), EPERM);
        }) == "");
  CHECK(sandboxed(folder.path(), [](const Confinement&) {
          return expect_errno("ptrace", ptrace(PTRACE_SEIZE, getppid(), nullptr, nullptr), EPERM);
        }) == "");
  CHECK(sandboxed(folder.path(), [](const Confinement&) {
          return expect_errno("mount", syscall(SYS_mount, "none", "/mnt", "tmpfs", 0, nullptr), EPERM);
        }) == "");
  CHECK(sandboxed(folder.path(),
                  [](const Confinement&) { return expect_errno("unshare", syscall(SYS_unshare, 0), EPERM); }) == "");
  CHECK(sandboxed(folder.path(),
                  [](const Confinement&) { return expect_errno("setuid", syscall(SYS_setuid, 0), EPERM); }) == "");
}

TEST_CASE("sandbox: the io_uring rings of the workers go on") {
  Folder folder;
  CHECK(sandboxed(folder.path(), [](const Confinement&) -> std::string {
          io_uring ring;
          if (io_uring_queue_init(8, &ring, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN) != 0)
            return "no ring can be set up";
          int ends[2];
          if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0) return "no socket pair";
          char sent[] = "beat", received[8] = {};
          io_uring_prep_send(io_uring_get_sqe(&ring), ends[0], sent, sizeof sent, 0);
          io_uring_prep_recv(io_uring_get_sqe(&ring), ends[1], received, sizeof received, 0);
          if (io_uring_submit_and_wait(&ring, 2) != 2) return "operations were not taken";
          return strcmp(sent, received) == 0 ? "" : "nothing came through the ring";
        }) == "");
}

TEST_CASE("sandbox: threads, name resolution and listeners still work") {
  Folder folder;
  CHECK(sandboxed(folder.path(), [](const Confinement&) -> std::string {
          int answer = -1;
          std::thread resolver([&answer] {
            addrinfo* list = nullptr;
            answer = getaddrinfo("localhost", "80", nullptr, &list);
            if (answer == 0) freeaddrinfo(list);
          });
          resolver.join();
          return answer == 0 ? "" : gai_strerror(answer);
        }) == "");
}

#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
TEST_CASE("sandbox: no new process, no raw socket, no new BPF object") {
  Folder folder;
  CHECK(sandboxed(folder.path(), [](const Confinement&) { return expect_errno("fork", fork(), EPERM); }) == "");
  CHECK(sandboxed(folder.path(), [](const Confinement&) {
          return expect_errno("socket", socket(AF_PACKET, SOCK_RAW, 0), EPERM);
        }) == "");
  CHECK(sandboxed(folder.path(), [](const Confinement&) {
          bpf_attr attributes{};
          attributes.map_type = BPF_MAP_TYPE_ARRAY;
          attributes.key_size = attributes.value_size = attributes.max_entries = 4;
          return expect_errno("bpf", syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes), EPERM);
        }) == "");
  CHECK(sandboxed(folder.path(), [](const Confinement&) {
          bpf_attr attributes{};
          attributes.map_fd = 4096;
          return expect_errno("bpf", syscall(SYS_bpf, BPF_MAP_LOOKUP_ELEM, &attributes, sizeof attributes), EBADF);
        }) == "");
}
#endif
