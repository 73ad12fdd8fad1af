#include "agent/admin/transactions.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "agent/state/access_log_line.h"

namespace lunar::admin {
namespace {

constexpr std::string_view kNoInterceptor = "lunar-direct/0";

}  // namespace

Transactions::Transactions(std::vector<TransactionRing*> rings, AccessLogOptions log, TransactionNames names)
    : rings_(std::move(rings)),
      lost_seen_(rings_.size()),
      names_(std::move(names)),
      hook_interceptor_("lunard-hook/" + names_.version),
      log_(std::move(log)),
      callers_(names_.program_of),
      top_(monotonic_now()) {}

size_t Transactions::drain(size_t limit) {
  count_lost();
  const Clocks now{monotonic_now(), std::chrono::system_clock::now()};
  size_t most = 0;
  for (TransactionRing* ring : rings_) {
    waiting_ = std::min(limit, ring->waiting());
    most = std::max(most, ring->drain(limit, [&](const TransactionRecord& record) { take(record, now); }));
  }
  return most;
}

void Transactions::count_lost() {
  for (size_t i = 0; i < rings_.size(); ++i) {
    const uint64_t lost = rings_[i]->lost();
    log_.note_lost(lost - std::exchange(lost_seen_[i], lost));
  }
}

void Transactions::take(const TransactionRecord& record, const Clocks& now) {
  const Caller& caller = callers_.find(record);
  metrics_.add(record, caller);
  top_.add(record, caller, now.monotonic);
  // Without a log and a follower only the lines that stay for a later `tail` are worth writing.
  const bool last_ones = waiting_ <= Tail::kKept;
  if (waiting_ > 0) --waiting_;
  if (last_ones || log_.enabled() || tail_.followed()) write_line(record, caller, now);
}

void Transactions::write_line(const TransactionRecord& record, const Caller& caller, const Clocks& now) {
  const AccessLogContext context{
      .wall_offset_ns = now.offset_ns(),
      .request_id_prefix = names_.request_id_prefix,
      .interceptor = record.mode == EntryMode::transparent ? std::string_view(hook_interceptor_) : kNoInterceptor,
      .consumer_tag = caller.tag(),
      .process_json = caller.process_json,
      .lost = log_.lost()};
  TailLine& line = tail_.next();
  append_access_log_line(line.line, record, context);
  line.host = host_of(record);
  line.unit = caller.tag();
  line.pid = caller.pid;
  log_.add(line.line, now.wall);
  tail_.publish();
}

}  // namespace lunar::admin
