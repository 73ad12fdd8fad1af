#include "cli/trust_program.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <system_error>

namespace lunar::cli {
namespace {

constexpr int kCannotStart = 127;
constexpr int kDiedOfSignal = 128;
constexpr std::string_view administrators = "/usr/local/sbin:/usr/sbin:/sbin";

std::string search_path() {
  const char* own = std::getenv("PATH");
  return (own == nullptr || *own == '\0' ? "/usr/local/bin:/usr/bin:/bin" : own) + (":" + std::string(administrators));
}

bool is_executable(const std::string& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) && ::access(path.c_str(), X_OK) == 0;
}

// A stream of the program as a file in memory, so that no pipe fills up while nobody reads.
class MemoryStream {
 public:
  explicit MemoryStream(std::string_view content) : fd_(::memfd_create("stream", MFD_CLOEXEC)) {
    good_ = fd_ >= 0;
    while (good_ && !content.empty()) {
      const ssize_t count = ::write(fd_, content.data(), content.size());
      good_ = count > 0;
      if (good_) content.remove_prefix(static_cast<size_t>(count));
    }
    good_ = good_ && ::lseek(fd_, 0, SEEK_SET) == 0;
  }
  MemoryStream(const MemoryStream&) = delete;
  MemoryStream& operator=(const MemoryStream&) = delete;
  ~MemoryStream() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] std::string text() const {
    std::string out;
    std::array<char, 16384> piece;
    for (ssize_t count = 0; (count = ::pread(fd_, piece.data(), piece.size(), static_cast<off_t>(out.size()))) > 0;)
      out.append(piece.data(), static_cast<size_t>(count));
    return out;
  }

 private:
  int fd_;
  bool good_ = false;
};

// In the child: only calls that are safe between fork and exec where there are other threads.
[[noreturn]] void become(char* const* words, char* const* environment, const std::array<int, 3>& streams,
                         std::optional<Owner> owner) {
  for (int i = 0; i < 3; ++i)
    if (::dup2(streams[static_cast<size_t>(i)], i) < 0) ::_exit(kCannotStart);
  const bool changed =
      !owner || (::setgroups(0, nullptr) == 0 && ::setgid(owner->group) == 0 && ::setuid(owner->user) == 0);
  if (changed) ::execve(words[0], words, environment);
  ::_exit(kCannotStart);
}

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

std::string find_program(const std::string& name) {
  const std::string folders = search_path() + ":";
  for (size_t begin = 0, end = 0; (end = folders.find(':', begin)) != std::string::npos; begin = end + 1) {
    const std::string path = folders.substr(begin, end - begin) + "/" + name;
    if (path.starts_with('/') && is_executable(path)) return path;
  }
  return {};
}

std::string ProgramEnd::reason() const {
  std::string text = err.empty() ? out : err;
  while (text.ends_with('\n')) text.pop_back();
  return text.empty() ? "it ended with code " + std::to_string(code) : text.substr(text.rfind('\n') + 1);
}

Result<ProgramEnd> run_program(const ProgramCall& call) {
  const MemoryStream input(call.input);
  const MemoryStream out("");
  const MemoryStream err("");
  if (!input.good() || !out.good() || !err.good()) return fail("cannot run " + call.words[0], errno);
  std::vector<std::string> words = call.words;
  std::vector<std::string> environment{"PATH=" + search_path(), "LC_ALL=C", "HOME=/"};
  const std::vector<char*> arguments = pointers(words);
  const std::vector<char*> variables = pointers(environment);
  const std::array<int, 3> streams{input.fd(), out.fd(), err.fd()};
  const pid_t child = ::fork();
  if (child == 0) become(arguments.data(), variables.data(), streams, call.as);
  if (child < 0) return fail("cannot run " + call.words[0], errno);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) return fail("cannot wait for " + call.words[0], errno);
  }
  const int code = WIFSIGNALED(status) ? kDiedOfSignal + WTERMSIG(status) : WEXITSTATUS(status);
  return ProgramEnd{.code = code, .out = out.text(), .err = err.text()};
}

TemporaryFolder::TemporaryFolder() {
  std::string pattern = std::filesystem::temp_directory_path() / "lunarctl-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr)
    throw std::filesystem::filesystem_error("cannot make a temporary folder", pattern,
                                            std::error_code(errno, std::generic_category()));
  path_ = pattern;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace lunar::cli
