#include "agent/gateway/flow_answer.h"

#include <algorithm>

namespace lunar::gateway {
namespace {

// What a client may still send of a request that is answered already; more, and the connection ends with the answer.
constexpr uint64_t longest_rest = 256 * 1024;
constexpr Nanoseconds rest_time = std::chrono::seconds(2);

// True: the client's next bytes are its next request.
uring::Task<bool> drop_rest(Session& session, Request& request) {
  uring::Stream& client = *session.client;
  if (request.expect_continue && !request.body.done()) co_return false;
  MonotonicTime deadline = session.worker.loop().now() + rest_time;
  uint64_t dropped = 0;
  while (!request.body.done() && dropped < longest_rest) {
    if (client.error() != 0 || client.ended() || session.worker.loop().now() >= deadline) co_return false;
    if (client.input() == nullptr) {
      co_await session.waker.wait(deadline);
      continue;
    }
    auto step = request.body.scan(client.input()->view());
    if (step.malformed) co_return false;
    dropped += step.consumed;
    client.take(static_cast<uint32_t>(step.consumed)).reset();
  }
  co_return request.body.done();
}

void send(Session& session, std::string_view head, std::string_view body) {
  uring::BufferRef out = session.worker.loop().buffers().sized(static_cast<uint32_t>(head.size() + body.size()));
  out->end = static_cast<uint32_t>(head.copy(out->memory, out->capacity));
  out->end += static_cast<uint32_t>(body.copy(out->memory + out->end, out->capacity - out->end));
  session.client->send(std::move(out));
}

}  // namespace

uring::Task<Served> answer_early(Session& session, Request& request, const Response& response) {
  bool drained = co_await drop_rest(session, request);
  bool close = !drained || !request.keep_alive || session.worker.phase() == Phase::shutting_down;
  std::string_view body =
      response.body_changed || !response.wire_body ? response.body.value_or("") : *response.wire_body;
  std::string extra = "x-lunar-generated: true\r\n";
  if (request.explicit_mode)
    extra += "x-lunar-sequence-id: " + request.draft.sequence_id(session.worker.shared().request_id_prefix) + "\r\n";
  if (close) {
    extra += "Connection: close\r\n";
  } else if (request.context.http10) {
    extra += "Connection: keep-alive\r\n";
  }
  std::optional<uint64_t> length = body.size();
  std::string head = write_response_head(response, {.minor_version = 1, .extra = extra}, length);
  // The coding of a cached body goes with it.
  const HeaderField* coding = response.body_changed ? nullptr : response.find("content-encoding");
  if (coding != nullptr) head.insert(head.size() - 2, "Content-Encoding: " + std::string(coding->value) + "\r\n");
  request.draft.status = static_cast<uint16_t>(response.status);
  request.draft.termination = Termination::early;
  request.draft.bytes_out = request.context.head ? 0 : body.size();
  send(session, head, request.context.head ? std::string_view{} : body);
  record_attempt(session, request.draft);
  co_return Served{close ? Exchange::State::finish : Exchange::State::again, OpaqueReason::none};
}

uring::Task<Served> answer_blocked(Session& session, Request& request, std::string flow) {
  bool drained = co_await drop_rest(session, request);
  bool close = !drained || !request.keep_alive;
  answer(
      session, request.draft,
      {.refusal = Refusal::flow_failed, .detail = std::move(flow), .close = close, .head_only = request.context.head});
  record_attempt(session, request.draft);
  co_return Served{close ? Exchange::State::finish : Exchange::State::again, OpaqueReason::none};
}

}  // namespace lunar::gateway
