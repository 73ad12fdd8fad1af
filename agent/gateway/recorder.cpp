#include "agent/gateway/recorder.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "agent/gateway/session.h"

namespace lunar::gateway {
namespace {

uint64_t nanoseconds(MonotonicTime time) { return static_cast<uint64_t>(time.time_since_epoch().count()); }

void identify(Session& session, TransactionRecord& record) {
  record.ended_ns = nanoseconds(session.worker.loop().now());
  if (!session.origin) return;
  record.pid = session.origin->pid;
  record.uid = session.origin->uid;
  record.cgroup_id = session.origin->cgroup_id;
  record.process_started_ns = session.origin->start_ns;
  record.comm = session.origin->comm;
}

// What x-lunar-* headers say about the caller, as far as the log keeps it.
struct CallerTexts {
  std::string_view request_id, sequence_id, consumer_tag, interceptor;
};

CallerTexts caller_texts(const http::RequestHead& head) {
  CallerTexts texts;
  if (!head.has_lunar) return texts;
  auto value = [&head](std::string_view name) {
    const http::Field* field = head.fields.find(name);
    return field != nullptr ? field->value : std::string_view{};
  };
  texts.request_id = value("x-lunar-req-id");
  texts.sequence_id = value("x-lunar-sequence-id");
  texts.consumer_tag = value("x-lunar-consumer-tag");
  texts.interceptor = value("x-lunar-interceptor");
  return texts;
}

}  // namespace

void RecordDraft::describe(const http::RequestHead& head, std::string_view host, std::string_view target) {
  CallerTexts caller = caller_texts(head);
  std::string_view path = target.substr(0, target.find_first_of("?#"));
  const std::array<std::string_view, texts> all{
      head.method, host, caller.request_id, caller.sequence_id, caller.consumer_tag, caller.interceptor, path};
  text_.reserve(path.size() + host.size() + head.method.size());
  for (size_t i = 0; i < texts; ++i) {
    std::string_view kept = all[i].substr(0, TransactionRecord::kTextBytes);
    lengths_[i] = static_cast<uint16_t>(kept.size());
    text_.append(kept);
  }
}

std::string request_id_of(std::string_view prefix, uint64_t number) {
  std::array<char, 16> digits;
  const char* end = std::to_chars(digits.data(), digits.data() + digits.size(), number, 16).ptr;
  std::string out;
  out.reserve(prefix.size() + digits.size());
  return out.append(prefix).append(digits.data(), static_cast<size_t>(end - digits.data()));
}

std::string RecordDraft::request_id(std::string_view prefix) const {
  size_t before = lengths_[0] + lengths_[1];
  if (size_t given = lengths_[2]; given > 0) return text_.substr(before, given);
  return request_id_of(prefix, number);
}

std::string RecordDraft::sequence_id(std::string_view prefix) const {
  size_t before = lengths_[0] + lengths_[1] + lengths_[2];
  if (size_t given = lengths_[3]; given > 0) return text_.substr(before, given);
  return request_id(prefix);
}

void record_attempt(Session& session, const RecordDraft& draft) {
  WorkerStatistics::add(session.worker.statistics().requests);
  if (draft.x_lunar_error != 0) WorkerStatistics::add(session.worker.statistics().errors[draft.x_lunar_error]);
  TransactionRecord* record = session.worker.records().claim();
  if (record == nullptr) return;
  identify(session, *record);
  record->request_number = draft.number;
  record->started_ns = nanoseconds(draft.started);
  record->provider_started_ns = nanoseconds(draft.provider_started);
  record->provider_ended_ns = nanoseconds(draft.provider_ended);
  record->bytes_in = draft.bytes_in;
  record->bytes_out = draft.bytes_out;
  record->destination = draft.destination;
  record->status = draft.status;
  record->x_lunar_error = draft.x_lunar_error;
  record->termination = draft.termination;
  record->mode = draft.mode;
  record->tls = draft.tls;
  record->attempt = draft.attempt;
  record->internal = draft.attempt > 0;
  std::string_view rest = draft.text_;
  for (size_t i = 0; i + 1 < RecordDraft::texts; ++i) {
    record->set(static_cast<TransactionText>(i), rest.substr(0, draft.lengths_[i]));
    rest.remove_prefix(draft.lengths_[i]);
  }
  record->set(TransactionText::flows, draft.flows);
  record->set(TransactionText::path, rest);
  session.worker.records().publish();
}

void record_opaque(Session& session, const OpaqueEnd& end) {
  TransactionRecord* record = session.worker.records().claim();
  if (record == nullptr) return;
  identify(session, *record);
  record->request_number = session.worker.next_request_number();
  record->started_ns = nanoseconds(end.started);
  record->provider_started_ns = nanoseconds(end.started);
  record->provider_ended_ns = nanoseconds(session.worker.loop().now());
  record->bytes_in = end.bytes_in;
  record->bytes_out = end.bytes_out;
  record->destination = session.upstream_destination;
  record->termination = end.termination;
  record->mode = session.captured() ? EntryMode::transparent : EntryMode::forward;
  record->opaque = end.reason;
  record->tls = end.reason == OpaqueReason::tls || session.tls != nullptr;
  record->set(TransactionText::method, "TUNNEL");
  record->set(TransactionText::host, end.host);
  session.worker.records().publish();
}

}  // namespace lunar::gateway
