#include "agent/state/rotating_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace lunar {
namespace {

std::string numbered(const std::string& path, unsigned number) { return path + "." + std::to_string(number); }

// All of it, or up to the first error; never waits (the descriptor is non-blocking).
std::pair<size_t, int> write_all(int fd, std::string_view bytes) {
  size_t written = 0;
  while (written < bytes.size()) {
    const ssize_t count = ::write(fd, bytes.data() + written, bytes.size() - written);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return {written, count < 0 ? errno : ENOSPC};
    written += static_cast<size_t>(count);
  }
  return {written, 0};
}

}  // namespace

Result<> RotatingFile::open() {
  if (file_) return {};
  Fd file(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) {
    const int error = errno;
    return fail("cannot open " + path_ + ": " + std::strerror(error) +
                    "; make its directory writable for the user of the gateway",
                error);
  }
  file_ = std::move(file);
  regular_ = S_ISREG(status.st_mode);
  size_ = regular_ ? static_cast<uint64_t>(status.st_size) : 0;
  modified_ = std::chrono::sys_seconds(std::chrono::seconds(status.st_mtim.tv_sec));
  return {};
}

RotatingFile::Appended RotatingFile::append(std::string_view lines) {
  const auto [written, error] = write_all(file_.get(), lines);
  size_ += written;
  if (error == 0) return {written, 0};
  const size_t last_end = lines.substr(0, written).rfind('\n');
  const size_t whole = last_end == std::string_view::npos ? 0 : last_end + 1;
  if (whole == written) return {whole, error};
  const uint64_t end = size_ - (written - whole);
  if (regular_ && ::ftruncate(file_.get(), static_cast<off_t>(end)) == 0) {
    size_ = end;
  } else {
    file_.reset();
  }
  return {whole, error};
}

// Renaming is tried oldest first.
void RotatingFile::rotate() {
  if (retain_ == 0) {
    if (::ftruncate(file_.get(), 0) == 0) file_.reset();
    return;
  }
  for (unsigned number = retain_; number > 1; --number) {
    std::rename(numbered(path_, number - 1).c_str(), numbered(path_, number).c_str());
  }
  if (std::rename(path_.c_str(), numbered(path_, 1).c_str()) == 0 || errno == ENOENT) file_.reset();
}

}  // namespace lunar
