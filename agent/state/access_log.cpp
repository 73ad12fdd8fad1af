#include "agent/state/access_log.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace lunar {
namespace {

constexpr std::chrono::days kWeek{7};
constexpr std::chrono::days kFirstMonday{4};  // 1970-01-05

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

AccessLog::AccessLog(AccessLogOptions options) : options_(std::move(options)) {}

void AccessLog::add(std::string_view line, WallTime now) {
  if (!enabled()) return;
  buffer_ += line;
  buffer_ += '\n';
  ++buffered_lines_;
  buffered_lost_ += std::exchange(lost_, 0);
  if (buffer_.size() < kBufferLimit) return;
  // Lines that could not be written are counted; the timed flush is the one that tells.
  [[maybe_unused]] const auto written = flush(now);
}

void AccessLog::note_lost(uint64_t lines) {
  lost_ += lines;
  lost_total_ += lines;
}

Result<> AccessLog::flush(WallTime now) {
  if (!buffer_.empty()) last_outcome_ = write_out(now);
  return last_outcome_;
}

Result<> AccessLog::write_out(WallTime now) {
  if (file_) rotate_if_due(now);
  Result<> opened = file_ ? Result<>{} : open(now);
  if (!opened) {
    drop_unwritten(0);
    return opened;
  }
  const auto [written, error] = write_all(file_.get(), buffer_);
  size_ += written;
  if (error != 0) {
    drop_unwritten(written);
    return fail("cannot write " + options_.path + ": " + std::strerror(error) +
                    "; access log lines are dropped and counted until it can be written again",
                error);
  }
  buffer_.clear();
  buffered_lines_ = buffered_lost_ = 0;
  return {};
}

// Keeps whole lines only: half a line that made it into the file is taken back, or ended where that cannot be.
void AccessLog::drop_unwritten(size_t written) {
  const std::string_view kept = std::string_view(buffer_).substr(0, written);
  const size_t whole = kept.rfind('\n') == std::string_view::npos ? 0 : kept.rfind('\n') + 1;
  const auto kept_lines =
      static_cast<uint64_t>(std::count(kept.begin(), kept.begin() + static_cast<ptrdiff_t>(whole), '\n'));
  if (whole != written) {
    const uint64_t end = size_ - (written - whole);
    if (regular_ && ::ftruncate(file_.get(), static_cast<off_t>(end)) == 0) {
      size_ = end;
    } else {
      file_.reset();  // a new beginning: at worst one broken line stays behind
    }
  }
  const uint64_t dropped = buffered_lines_ - kept_lines;
  lost_ += dropped + (kept_lines == 0 ? buffered_lost_ : 0);
  lost_total_ += dropped;
  buffer_.clear();
  buffered_lines_ = buffered_lost_ = 0;
}

Result<> AccessLog::open(WallTime now) {
  Fd file(::open(options_.path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0640));
  struct stat status{};
  if (!file || ::fstat(file.get(), &status) != 0) {
    const int error = errno;
    return fail("cannot open " + options_.path + ": " + std::strerror(error) +
                    "; make its directory writable for the user of the gateway",
                error);
  }
  file_ = std::move(file);
  regular_ = S_ISREG(status.st_mode);
  size_ = regular_ ? static_cast<uint64_t>(status.st_size) : 0;
  period_ = period_of(size_ == 0 ? now : WallTime(std::chrono::seconds(status.st_mtim.tv_sec)));
  rotate_if_due(now);
  return file_ ? Result<>{} : open(now);
}

Result<> AccessLog::reopen(WallTime now) {
  if (!enabled()) return {};
  Result<> flushed = flush(now);
  file_.reset();
  Result<> opened = open(now);
  if (flushed) last_outcome_ = opened;
  return flushed ? opened : flushed;
}

void AccessLog::rotate_if_due(WallTime now) {
  if (!regular_ || size_ == 0) {
    period_ = period_of(now);
    return;
  }
  const bool too_large = options_.rotate_size != 0 && size_ + buffer_.size() > options_.rotate_size;
  if (too_large || period_of(now) > period_) rotate();
}

// Renaming is tried oldest first; a failure (a read-only directory) leaves the log growing in place.
void AccessLog::rotate() {
  const std::string& path = options_.path;
  if (options_.retain == 0) {
    if (::ftruncate(file_.get(), 0) == 0) file_.reset();
    return;
  }
  for (unsigned number = options_.retain; number > 1; --number) {
    std::rename(numbered(path, number - 1).c_str(), numbered(path, number).c_str());
  }
  if (std::rename(path.c_str(), numbered(path, 1).c_str()) == 0 || errno == ENOENT) file_.reset();
}

int64_t AccessLog::period_of(WallTime at) const {
  if (options_.rotate_interval.count() == 0) return 0;
  auto since = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch();
  if (options_.rotate_interval == kWeek) since -= kFirstMonday;
  return since / options_.rotate_interval;
}

}  // namespace lunar
