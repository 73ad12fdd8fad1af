#include "agent/state/har_file.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

namespace lunar {
namespace {

double to_microseconds(double milliseconds) { return std::round(milliseconds * 1000) / 1000; }

Json part(const std::optional<double>& milliseconds) {
  return milliseconds ? Json(to_microseconds(*milliseconds)) : Json(-1);
}

Json timings_of(const HarTimings& parts) {
  return {{"blocked", part(parts.blocked)}, {"connect", part(parts.connect)}, {"ssl", part(parts.ssl)},
          {"send", part(parts.send)},       {"wait", part(parts.wait)},       {"receive", part(parts.receive)}};
}

}  // namespace

std::string har_line(const Json& entry, const CallFacts& facts) {
  Json out = Json::object();
  const auto take = [&](const char* name) {
    if (const auto member = entry.find(name); member != entry.end()) out[name] = *member;
  };
  take("startedDateTime");
  out["time"] = to_microseconds(facts.total_ms);
  take("request");
  take("response");
  out["cache"] = Json::object();
  out["timings"] = timings_of(facts.timings);
  if (!facts.server_address.empty()) out["serverIPAddress"] = facts.server_address;
  take("_lunar");
  return out.dump(-1, ' ', false, Json::error_handler_t::replace);
}

HarFile::HarFile(HarFileOptions options) : options_(std::move(options)), file_(options_.path, options_.max_files) {}

size_t HarFile::add(const Json& entry, const CallFacts& facts, SteadyTime now) {
  if (lines_.empty()) oldest_ = now;
  const std::string& line = lines_.emplace_back(har_line(entry, facts) + "\n");
  const size_t size = line.size();
  buffered_ += size;
  // Entries that could not be written are counted; the timed flush is the one that tells.
  if (buffered_ >= buffer_limit || options_.flush_interval.count() == 0) {
    [[maybe_unused]] const auto written = flush();
  }
  return size;
}

Result<> HarFile::flush_if_due(SteadyTime now) {
  if (!lines_.empty() && now - oldest_ < options_.flush_interval) return {};
  return flush();
}

Result<> HarFile::flush() {
  if (!lines_.empty()) last_outcome_ = write_out();
  return last_outcome_;
}

// How many lines from `first` on go into the file as it is.
size_t HarFile::next_batch(size_t first) const {
  uint64_t size = file_.regular() ? file_.size() : 0;
  size_t count = 0;
  while (first + count < lines_.size()) {
    size += lines_[first + count].size();
    if (file_.regular() && size > options_.max_size) break;
    ++count;
  }
  return count;
}

Result<> HarFile::write_out() {
  Result<> outcome;
  size_t written = 0;
  std::string batch;
  while (outcome && written < lines_.size()) {
    outcome = file_.open();
    if (!outcome) break;
    size_t count = next_batch(written);
    if (count == 0 && file_.size() > 0) {
      file_.rotate();
      if (!file_.is_open()) continue;
    }
    // A line above the limit has a file of its own; where nothing can be renamed, the file grows.
    count = std::max<size_t>(count, 1);
    batch.clear();
    for (size_t i = 0; i < count; ++i) batch += lines_[written + i];
    const auto [kept, error] = file_.append(batch);
    written += static_cast<size_t>(std::count(batch.begin(), batch.begin() + static_cast<ptrdiff_t>(kept), '\n'));
    if (error != 0)
      outcome = fail("cannot write " + options_.path + ": " + std::strerror(error) +
                         "; HAR entries are dropped and counted until it can be written again",
                     error);
  }
  dropped_ += lines_.size() - written;
  lines_.clear();
  buffered_ = 0;
  return outcome;
}

Result<> HarFile::reopen() {
  const Result<> flushed = flush();
  file_.close();
  const Result<> opened = file_.open();
  if (flushed) last_outcome_ = opened;
  return flushed ? opened : flushed;
}

}  // namespace lunar
