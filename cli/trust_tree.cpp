#include "cli/trust_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdint>
#include <utility>

namespace lunar::cli {
namespace {

constexpr int kTries = 16;  // a rename anywhere on the machine may make one of them fail with EAGAIN

class Descriptor {
 public:
  Descriptor(const std::string& root, const std::string& path, int flags) {
    const int top = ::open(root.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (top < 0) return;
    open_how how{};
    how.flags = static_cast<uint64_t>(flags) | O_CLOEXEC;
    how.resolve = RESOLVE_IN_ROOT;
    for (int i = 0; i < kTries && fd_ < 0 && (i == 0 || errno == EAGAIN); ++i)
      fd_ = static_cast<int>(::syscall(SYS_openat2, top, path.c_str(), &how, sizeof how));
    const int error = errno;
    ::close(top);
    errno = error;
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    const int error = errno;
    if (fd_ >= 0) ::close(fd_);
    errno = error;
  }
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

std::optional<struct stat> status_of(const std::string& root, const std::string& path) {
  const Descriptor found(root, path, O_PATH);
  struct stat status{};
  if (found.get() < 0 || ::fstat(found.get(), &status) != 0) return std::nullopt;
  return status;
}

}  // namespace

std::string FileTree::outside(const std::string& path) const { return is_this_machine() ? path : root_ + path; }

OpenFile FileTree::open(const std::string& path) const {
  Descriptor found(root_, path, O_RDONLY | O_NONBLOCK);
  struct stat status{};
  if (found.get() < 0 || ::fstat(found.get(), &status) != 0) return nullptr;
  errno = EINVAL;
  if (!S_ISREG(status.st_mode)) return nullptr;
  OpenFile out(::fdopen(found.get(), "rb"));
  if (out) (void)found.release();
  return out;
}

Result<std::string> FileTree::read(const std::string& path, size_t limit) const {
  const OpenFile file = open(path);
  if (!file) return fail("cannot read " + outside(path), errno);
  std::string out;
  std::string piece(65536, '\0');
  while (const size_t count = std::fread(piece.data(), 1, piece.size(), file.get())) {
    out.append(piece, 0, count);
    if (out.size() > limit) return fail("cannot read " + outside(path), EFBIG);
  }
  if (std::ferror(file.get()) != 0) return fail("cannot read " + outside(path), errno);
  return out;
}

std::vector<std::string> FileTree::names(const std::string& folder) const {
  struct Close {
    void operator()(DIR* stream) const { ::closedir(stream); }
  };
  Descriptor found(root_, folder, O_RDONLY | O_DIRECTORY);
  const std::unique_ptr<DIR, Close> stream(found.get() < 0 ? nullptr : ::fdopendir(found.get()));
  std::vector<std::string> out;
  if (!stream) return out;
  (void)found.release();
  while (const dirent* entry = ::readdir(stream.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") out.push_back(name);
  }
  std::ranges::sort(out);
  return out;
}

std::optional<std::string> FileTree::place(const std::string& path) const {
  const Descriptor found(root_, path, O_PATH);
  if (found.get() < 0) return std::nullopt;
  std::array<char, PATH_MAX> target;
  const ssize_t length =
      ::readlink(("/proc/self/fd/" + std::to_string(found.get())).c_str(), target.data(), target.size());
  if (length <= 0) return std::nullopt;
  return std::string(target.data(), static_cast<size_t>(length));
}

bool FileTree::is_folder(const std::string& path) const {
  const auto status = status_of(root_, path);
  return status && S_ISDIR(status->st_mode);
}

std::optional<std::time_t> FileTree::changed(const std::string& path) const {
  const auto status = status_of(root_, path);
  if (!status) return std::nullopt;
  return status->st_mtime;
}

}  // namespace lunar::cli
