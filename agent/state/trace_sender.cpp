#include "agent/state/trace_sender.h"

#include <algorithm>
#include <utility>

#include "agent/base/log.h"
#include "agent/state/record_memory.h"

namespace lunar {
namespace {

constexpr unsigned most_attempts = 2;

bool succeeded(int status) { return status >= 200 && status < 300; }

// OTLP/HTTP names these as worth another try; all others say that the batch itself is not wanted.
bool may_be_retried(int status) {
  return status == 0 || status == 429 || status == 502 || status == 503 || status == 504;
}

}  // namespace

TraceSender::TraceSender(EventLoop& loop, TraceSenderOptions options, Resolve resolve)
    : options_(std::move(options)),
      resolve_(std::move(resolve)),
      target_(parse_absolute_target(options_.endpoint)),
      usable_(target_ && (target_->scheme == Scheme::http || options_.open_channel)),
      post_(loop, options_.timeout, secure()) {
  if (!usable_)
    log::warn("traces cannot be sent to {}: it is no {} URL; spans are dropped", options_.endpoint,
              options_.open_channel ? "http or https" : "http");
  due_ = loop.timer([this] { send_batch(); });
  lookup_deadline_ = loop.timer([this] { attempt_at({}); });
}

TraceSender::~TraceSender() {
  if (!idle()) log::warn("{} spans for {} were not sent in time and are lost", unsent(), options_.endpoint);
}

HttpPost::Secure TraceSender::secure() const {
  if (!usable_ || target_->scheme != Scheme::https) return nullptr;
  return [this] { return options_.open_channel(target_->authority.host, target_->port()); };
}

void TraceSender::add(emission::Span span) {
  const size_t bytes = memory_of(span);
  if (!usable_ || waiting_.size() >= options_.buffer || waiting_bytes_ + bytes > options_.buffer_bytes) {
    ++counts_.dropped;
    if (!usable_) ++counts_.unsupported;
    return;
  }
  waiting_bytes_ += bytes;
  waiting_.push_back(std::move(span));
  if (!in_flight_.empty()) return;
  if (waiting_.size() >= options_.batch) {
    due_.fire_after(Nanoseconds(0));
  } else if (waiting_.size() == 1) {
    due_.fire_after(options_.flush_interval);
  }
}

void TraceSender::flush() {
  flushing_ = true;
  send_batch();
}

void TraceSender::send_batch() {
  if (!in_flight_.empty()) return;
  if (waiting_.empty()) {
    flushing_ = false;
    return;
  }
  due_.rest();
  const auto count = static_cast<ptrdiff_t>(std::min(waiting_.size(), options_.batch));
  in_flight_.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(waiting_.begin() + count));
  waiting_.erase(waiting_.begin(), waiting_.begin() + count);
  for (const emission::Span& span : in_flight_) waiting_bytes_ -= memory_of(span);
  message_ = request(otlp_json(in_flight_, options_.resource));
  attempts_ = 0;
  attempt();
}

std::string TraceSender::request(const std::string& body) const {
  return "POST " + target_->origin_form + " HTTP/1.1\r\nHost: " + target_->authority.text() +
         "\r\nContent-Type: application/json\r\nUser-Agent: lunar/" + options_.resource.version +
         "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}

void TraceSender::attempt() {
  ++attempts_;
  const auto done = [this](const HttpPost::Answer& answer) { take_answer(answer); };
  if (post_.connected()) return post_.send({}, message_, done);
  lookup_deadline_.fire_after(options_.timeout);
  resolve_(target_->authority.host, target_->port(),
           [this, lookup = ++lookup_, alive = std::weak_ptr(alive_)](const std::vector<Endpoint>& addresses) {
             if (!alive.expired() && lookup == lookup_) attempt_at(addresses);
           });
}

void TraceSender::attempt_at(const std::vector<Endpoint>& addresses) {
  ++lookup_;
  lookup_deadline_.rest();
  if (addresses.empty()) return take_answer({0, "its name cannot be resolved"});
  // The second attempt tries another address, where there is one.
  post_.send(addresses[(attempts_ - 1) % addresses.size()], message_,
             [this](const HttpPost::Answer& answer) { take_answer(answer); });
}

void TraceSender::take_answer(const HttpPost::Answer& answer) {
  if (succeeded(answer.status)) {
    counts_.sent += in_flight_.size();
    complained_ = false;
    return next_batch();
  }
  if (attempts_ < most_attempts && may_be_retried(answer.status)) {
    post_.close();
    return attempt();
  }
  give_up(answer.status == 0 ? answer.fault : "status " + std::to_string(answer.status));
}

void TraceSender::give_up(const std::string& why) {
  counts_.dropped += in_flight_.size();
  if (!std::exchange(complained_, true))
    log::warn("traces cannot be sent to {}: {}; spans are dropped and counted until they can", options_.endpoint, why);
  next_batch();
}

void TraceSender::next_batch() {
  in_flight_.clear();
  message_.clear();
  if (waiting_.empty()) {
    flushing_ = false;
  } else {
    due_.fire_after(flushing_ || waiting_.size() >= options_.batch ? Nanoseconds(0) : options_.flush_interval);
  }
}

}  // namespace lunar
