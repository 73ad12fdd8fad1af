// The HAR exporter: one entry a line, rotated by size (gateway.md §12). Used by the admin thread alone; a disk that is
// full or gone costs entries, which are counted, and never time of the data path.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "agent/state/call_facts.h"
#include "agent/state/rotating_file.h"
#include "flowengine/expr/json.h"
#include "flowengine/instant.h"

namespace lunar {

struct HarFileOptions {
  std::string path;
  uint64_t max_size = 10 * 1024 * 1024;  // a line that would pass it begins a new file; a longer one has its own
  unsigned max_files = 3;                // rotated files NAME.1 … NAME.N
  std::chrono::nanoseconds flush_interval = std::chrono::seconds(10);  // 0: written at once
};

// The engine's entry with what only the agent knows.
[[nodiscard]] std::string har_line(const Json& entry, const CallFacts& facts);

class HarFile {
 public:
  static constexpr size_t buffer_limit = 4 * 1024 * 1024;  // add() writes by itself above it

  explicit HarFile(HarFileOptions options);

  // The size of the line. Whether it gets into the file shows later, in dropped().
  size_t add(const Json& entry, const CallFacts& facts, SteadyTime now);
  // Writes if the interval is over. On failure the entries are lost and the error says why; with nothing to write it is
  // the outcome of the last attempt.
  Result<> flush_if_due(SteadyTime now);
  Result<> flush();
  // Another program has moved the file: writes the buffer to it, then opens the path anew.
  Result<> reopen();

  [[nodiscard]] uint64_t dropped() const { return dropped_; }

 private:
  Result<> write_out();
  [[nodiscard]] size_t next_batch(size_t first) const;

  HarFileOptions options_;
  RotatingFile file_;
  std::vector<std::string> lines_;  // each with its newline
  size_t buffered_ = 0;             // bytes of them
  SteadyTime oldest_{};
  uint64_t dropped_ = 0;
  Result<> last_outcome_;
};

}  // namespace lunar
