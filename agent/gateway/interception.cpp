// How flows take part in an exchange: copies of bodies, and the head that goes out when they have said so.
#include <utility>

#include "agent/gateway/exchange.h"

namespace lunar::gateway {

void Exchange::copy_request_body(std::string_view bytes) {
  if (!interception_->copies_request || !interception_->request_whole) return;
  if (interception_->request_body.size() + bytes.size() > interception_->limit) {
    interception_->request_whole = false;
    interception_->request_body = {};
  } else {
    interception_->request_body.append(bytes);
  }
}

uring::BufferRef Exchange::copy_of(std::string_view bytes) {
  uring::BufferRef out = session_.worker.loop().buffers().sized(static_cast<uint32_t>(bytes.size()));
  out->end = static_cast<uint32_t>(bytes.copy(out->memory, out->capacity));
  return out;
}

// A write costs more than copying what a small buffer holds.
bool Exchange::joined_head(std::string_view bytes) {
  if (head_ == nullptr || bytes.size() > head_->capacity - head_->end) return false;
  head_->end += static_cast<uint32_t>(bytes.copy(head_->memory + head_->end, bytes.size()));
  return true;
}

void Exchange::send_head() {
  if (head_ != nullptr) session_.client->send(std::move(head_));
}

void Exchange::send_bytes(std::string_view bytes) {
  if (bytes.empty() || joined_head(bytes)) return;
  send_head();
  session_.client->send(copy_of(bytes));
}

void Exchange::pass_on_body(uring::BufferRef piece) {
  if (replaced_ || (interception_ != nullptr && held_by_flows(*piece))) return;
  if (joined_head(piece->view())) return;
  send_head();
  session_.client->send(std::move(piece));
}

bool Exchange::held_by_flows(const uring::Buffer& piece) {
  Interception& flows = *interception_;
  if (flows.watches_response) flows.watches_response(piece.view());
  bool copies = (flows.copies_response || flows.holds_response) && flows.response_whole;
  bool fits = flows.response_body.size() + piece.size() <= flows.limit;
  if (copies && fits) flows.response_body.append(piece.view());
  if (flows.holds_response && fits) return true;
  if (copies && !fits) {
    flows.response_whole = false;
    // What is held goes out with the head, this piece behind it.
    if (flows.holds_response) {
      flows.response_body.append(piece.view());
      return true;
    }
    flows.response_body = {};
  }
  return false;
}

bool Exchange::response_whole() const {
  if (response_ended_ || response_.done()) return true;
  return head_done_ && session_.upstream != nullptr && session_.upstream->ended() && session_.upstream->error() == 0 &&
         response_.complete_at_close();
}

void Exchange::begin_head() {
  const http::ResponseHead& head = session_.worker.response_scratch();
  begin_response(head);
  head_has_lunar_ = head.has_lunar;
  head_in_input_ = static_cast<uint32_t>(head.size);
}

void Exchange::take_head() { session_.upstream->take(std::exchange(head_in_input_, 0)).reset(); }

bool Exchange::must_change_head() const {
  return head_has_lunar_ || session_.closes_after_answer() || request_.explicit_mode;
}

void Exchange::pass_head(std::string_view head) {
  const bool watched = interception_->copies_response || interception_->watches_response;
  if (head_in_input_ == 0 || watched || must_change_head()) return release(head);
  // A body that is malformed shows again when its next bytes are looked at.
  (void)forward_with_body(std::exchange(head_in_input_, 0));
}

void Exchange::release(std::string_view head) {
  if (head_in_input_ > 0) take_head();
  http::ResponseHead& parsed = session_.worker.response_scratch();
  if (must_change_head() && http::parse_response_head(head, request_.context, parsed) == http::ParseState::complete) {
    head_ = rewritten_head(parsed, head);
  } else {
    head_ = copy_of(head);
  }
  if (!interception_->holds_response) return;
  interception_->holds_response = false;
  send_bytes(interception_->response_body);
  if (!interception_->response_whole) interception_->response_body = {};
}

void Exchange::replace(std::string_view head, std::string_view body) {
  interception_->holds_response = false;
  release(head);
  if (!request_.context.head) send_bytes(body);
  replaced_ = true;
}

}  // namespace lunar::gateway
