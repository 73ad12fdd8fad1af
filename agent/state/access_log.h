// The access log file: buffered lines, rotation, reopening. Used by the admin thread alone, and a disk that is full
// or gone costs lines, which are counted, and never time of the data path.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/state/rotating_file.h"
#include "flowengine/result.h"

namespace lunar {

using LogTime = std::chrono::sys_time<std::chrono::nanoseconds>;

struct AccessLogOptions {
  std::string path;                         // empty: off
  uint64_t rotate_size = 10 * 1024 * 1024;  // 0: never by size
  std::chrono::seconds rotate_interval{0};  // 0: never by time; else at its multiples in UTC, weeks begin on Monday
  unsigned retain = 3;                      // rotated files PATH.1 (newest) … PATH.N
};

class AccessLog {
 public:
  static constexpr size_t kBufferLimit = 256 * 1024;  // add() flushes by itself above it

  explicit AccessLog(AccessLogOptions options);

  [[nodiscard]] bool enabled() const { return !options_.path.empty(); }
  // How many lines the next one has to report as lost before it; add() takes it as reported.
  [[nodiscard]] uint64_t lost() const { return lost_; }
  [[nodiscard]] uint64_t lost_total() const { return lost_total_; }
  void add(std::string_view line, LogTime now);
  void note_lost(uint64_t lines);

  // Writes what is buffered. On failure these lines are lost and the error says why; with nothing to write it is the
  // outcome of the last attempt, which add() may have made.
  Result<> flush(LogTime now);
  // Another program has moved the file: writes the buffer to it, then opens the path anew.
  Result<> reopen(LogTime now);

 private:
  Result<> write_out(LogTime now);
  Result<> open(LogTime now);
  void rotate_if_due(LogTime now);
  void drop_unwritten(size_t kept);
  [[nodiscard]] int64_t period_of(LogTime at) const;

  AccessLogOptions options_;
  RotatingFile file_;
  int64_t period_ = 0;  // which rotation interval the file belongs to
  std::string buffer_;
  uint64_t buffered_lines_ = 0;
  uint64_t buffered_lost_ = 0;  // reported by a line of the buffer
  uint64_t lost_ = 0;
  uint64_t lost_total_ = 0;
  Result<> last_outcome_;
};

}  // namespace lunar
