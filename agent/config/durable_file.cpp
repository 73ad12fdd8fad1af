#include "agent/config/durable_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "agent/base/fd.h"

namespace lunar {

Result<> write_durably(const std::string& path, std::string_view text, uint32_t mode) {
  unlink(path.c_str());  // what an earlier attempt left, or somebody's link
  const Fd file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file) return fail("cannot create " + path, errno);
  while (!text.empty()) {
    const ssize_t count = write(file.get(), text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail("cannot write " + path, errno);
    text.remove_prefix(static_cast<size_t>(count));
  }
  if (fchmod(file.get(), mode & 0777) != 0 || fsync(file.get()) != 0) return fail("cannot write " + path, errno);
  return {};
}

Result<> replace_durably(const std::string& path, const std::string& fresh, std::string_view text, uint32_t mode) {
  if (auto written = write_durably(fresh, text, mode); !written) return written;
  if (rename(fresh.c_str(), path.c_str()) != 0) return fail("cannot replace " + path, errno);
  return sync_folder(path.substr(0, path.rfind('/')));
}

Result<> sync_folder(const std::string& path) {
  const Fd folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || fsync(folder.get()) != 0) return fail("cannot write " + path, errno);
  return {};
}

Result<ReadFile> read_whole_file(const std::string& path, size_t limit) {
  const Fd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // a pipe must not hold us up
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0) return fail("cannot read " + path, errno);
  if (!S_ISREG(status.st_mode)) return fail(path + " is no file", EINVAL);
  ReadFile out{.mode = status.st_mode & 0777U};
  std::array<char, 65536> part;
  while (true) {
    const ssize_t count = read(file.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("cannot read " + path, errno);
    if (count == 0) return out;
    out.text.append(part.data(), static_cast<size_t>(count));
    if (out.text.size() > limit) return fail(path + " is too large", EFBIG);
  }
}

}  // namespace lunar
