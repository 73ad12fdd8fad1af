#include "agent/base/memory_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace lunar {

Result<Fd> make_memory_file(std::string_view bytes) {
  Fd file(memfd_create("lunar", MFD_CLOEXEC));
  if (!file) return fail("cannot create a memory file", errno);
  while (!bytes.empty()) {
    ssize_t written = write(file.get(), bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return fail("cannot fill a memory file", errno);
    bytes.remove_prefix(static_cast<size_t>(written));
  }
  return file;
}

Result<std::string> read_memory_file(int fd, size_t limit) {
  struct stat status{};
  if (fstat(fd, &status) != 0) return fail("cannot look at a memory file", errno);
  if (status.st_size < 0 || static_cast<size_t>(status.st_size) > limit)
    return fail("a memory file is too large", EFBIG);
  std::string out(static_cast<size_t>(status.st_size), '\0');
  size_t got = 0;
  while (got < out.size()) {
    ssize_t count = pread(fd, out.data() + got, out.size() - got, static_cast<off_t>(got));
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return fail("cannot read a memory file", count < 0 ? errno : EIO);
    got += static_cast<size_t>(count);
  }
  return out;
}

}  // namespace lunar
