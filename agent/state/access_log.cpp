#include "agent/state/access_log.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace lunar {
namespace {

constexpr std::chrono::days kWeek{7};
constexpr std::chrono::days kFirstMonday{4};  // 1970-01-05

}  // namespace

AccessLog::AccessLog(AccessLogOptions options) : options_(std::move(options)), file_(options_.path, options_.retain) {}

void AccessLog::add(std::string_view line, LogTime now) {
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

Result<> AccessLog::flush(LogTime now) {
  if (!buffer_.empty()) last_outcome_ = write_out(now);
  return last_outcome_;
}

Result<> AccessLog::write_out(LogTime now) {
  if (file_.is_open()) rotate_if_due(now);
  Result<> opened = open(now);
  if (!opened) {
    drop_unwritten(0);
    return opened;
  }
  const auto [kept, error] = file_.append(buffer_);
  if (error != 0) {
    drop_unwritten(kept);
    return fail("cannot write " + options_.path + ": " + std::strerror(error) +
                    "; access log lines are dropped and counted until it can be written again",
                error);
  }
  buffer_.clear();
  buffered_lines_ = buffered_lost_ = 0;
  return {};
}

void AccessLog::drop_unwritten(size_t kept) {
  const auto kept_lines =
      static_cast<uint64_t>(std::count(buffer_.begin(), buffer_.begin() + static_cast<ptrdiff_t>(kept), '\n'));
  const uint64_t dropped = buffered_lines_ - kept_lines;
  lost_ += dropped + (kept_lines == 0 ? buffered_lost_ : 0);
  lost_total_ += dropped;
  buffer_.clear();
  buffered_lines_ = buffered_lost_ = 0;
}

Result<> AccessLog::open(LogTime now) {
  if (file_.is_open()) return {};
  if (Result<> opened = file_.open(); !opened) return opened;
  period_ = period_of(file_.size() == 0 ? now : LogTime(file_.modified()));
  rotate_if_due(now);
  return file_.is_open() ? Result<>{} : open(now);
}

Result<> AccessLog::reopen(LogTime now) {
  if (!enabled()) return {};
  Result<> flushed = flush(now);
  file_.close();
  Result<> opened = open(now);
  if (flushed) last_outcome_ = opened;
  return flushed ? opened : flushed;
}

void AccessLog::rotate_if_due(LogTime now) {
  if (!file_.regular() || file_.size() == 0) {
    period_ = period_of(now);
    return;
  }
  const bool too_large = options_.rotate_size != 0 && file_.size() + buffer_.size() > options_.rotate_size;
  if (too_large || period_of(now) > period_) file_.rotate();
}

int64_t AccessLog::period_of(LogTime at) const {
  if (options_.rotate_interval.count() == 0) return 0;
  auto since = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch();
  if (options_.rotate_interval == kWeek) since -= kFirstMonday;
  return since / options_.rotate_interval;
}

}  // namespace lunar
