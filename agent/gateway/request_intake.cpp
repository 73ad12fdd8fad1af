#include "agent/gateway/request_intake.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "agent/gateway/policy.h"
#include "agent/gateway/routing.h"
#include "agent/http/serializer.h"

namespace lunar::gateway {
namespace {

// A longer body could not be sent again if a pooled connection turned out to be dead: it gets a new one.
constexpr uint64_t resendable_body = 64 * 1024;

bool idempotent(std::string_view method) {
  constexpr std::array<std::string_view, 6> methods{"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE"};
  return std::find(methods.begin(), methods.end(), method) != methods.end();
}

Intake describe(Session& session, const http::RequestHead& head, std::string_view host, std::string_view target) {
  Intake intake;
  Request& request = intake.request;
  request.draft.started = session.worker.loop().now();
  request.draft.number = session.worker.next_request_number();
  request.draft.tls = session.tls != nullptr;
  request.draft.describe(head, host, target.empty() ? head.target : target);
  request.body = http::BodyScanner(head.framing);
  request.context.head = head.method == "HEAD";
  request.context.connect = head.method == "CONNECT";
  request.context.http10 = head.minor_version == 0;
  request.keep_alive = head.keep_alive;
  request.expect_continue = head.expect_continue;
  request.idempotent = idempotent(head.method);
  session.upstream_pinned = session.upstream_pinned || head.connection_auth;
  return intake;
}

void settle_pooling(const http::RequestHead& head, Intake& intake) {
  bool long_body = head.framing.kind == http::BodyFraming::Kind::chunked ? !intake.request.body.done()
                                                                         : head.framing.length > resendable_body;
  intake.pooled = !long_body;
  intake.fresh = !intake.request.idempotent;
  intake.request.keeping = !long_body;
}

void refuse_by_lists(Intake& intake, DomainLists::Verdict verdict, std::string_view host, bool has_body) {
  if (verdict == DomainLists::Verdict::pass) return;
  intake.answer = Answer{.refusal = verdict == DomainLists::Verdict::blocked ? Refusal::blocked : Refusal::not_allowed,
                         .detail = std::string(host),
                         .close = has_body,
                         .head_only = intake.request.context.head};
}

// The first bytes of the body that came with the head; malformed ones end the message's known boundary.
std::optional<uint32_t> first_body_bytes(Intake& intake, std::string_view behind_head) {
  if (intake.request.body.done() || behind_head.empty()) return 0;
  auto step = intake.request.body.scan(behind_head);
  if (step.malformed) return std::nullopt;
  intake.request.draft.bytes_in += step.consumed;
  return static_cast<uint32_t>(step.consumed);
}

uring::BufferRef without_lunar_fields(Session& session, const http::RequestHead& head, uint32_t body) {
  uring::Stream& client = *session.client;
  auto head_size = static_cast<uint32_t>(head.size);
  uring::BufferRef out = session.worker.loop().buffers().sized(head_size + body);
  std::string_view bytes = client.input()->view();
  auto drop = [](const http::Field& field) { return field.kind == http::FieldKind::lunar; };
  out->end = static_cast<uint32_t>(
      http::copy_without(bytes.substr(0, head_size), head.fields, drop, {out->memory, out->capacity}));
  memcpy(out->memory + out->end, bytes.data() + head_size, body);
  out->end += body;
  client.take(head_size + body).reset();
  return out;
}

bool is_probe(const Session& session, const http::RequestHead& head) {
  return session.role == ListenerRole::worker && head.method == "GET" && head.target.starts_with(probe_path);
}

// Through the same accept, parse and send as every request: that is what the prober wants to know about.
void answer_probe(Session& session, const http::RequestHead& head) {
  std::string nonce(head.target.substr(probe_path.size()));
  session.client->take(static_cast<uint32_t>(head.size)).reset();
  uring::BufferRef out = session.worker.loop().buffers().sized(512 + static_cast<uint32_t>(nonce.size()));
  out->end = static_cast<uint32_t>(http::write_response({.status = 200, .body = nonce}, {out->memory, out->capacity}));
  session.client->send(std::move(out));
}

Intake refused_route(Session& session, Intake intake, const Route& route, const http::RequestHead& head) {
  bool body = !intake.request.body.done();
  intake.answer =
      Answer{.refusal = route.refusal, .detail = route.detail, .close = body, .head_only = intake.request.context.head};
  session.client->take(static_cast<uint32_t>(head.size)).reset();
  return intake;
}

}  // namespace

Intake take_captured(Session& session) {
  http::RequestHead& head = session.worker.request_scratch();
  uring::Stream& client = *session.client;
  Intake intake = describe(session, head, head.host, {});
  intake.request.destination = session.origin->destination;
  intake.request.draft.destination = session.origin->destination;

  DomainLists::Verdict verdict = judge(session.worker, host_of(head.host), session.origin->destination);
  if (verdict != DomainLists::Verdict::pass) {
    refuse_by_lists(intake, verdict, head.host, !intake.request.body.done());
    client.take(static_cast<uint32_t>(head.size)).reset();
    return intake;
  }
  auto body = first_body_bytes(intake, client.input()->view().substr(head.size));
  // Chunks that are broken from the start go on as bytes: the exchange never sees an end of this body.
  if (!body) body = client.input()->size() - static_cast<uint32_t>(head.size);
  intake.body_bytes = *body;
  settle_pooling(head, intake);
  intake.pooled = intake.pooled && !intake.request.body.malformed();
  if (head.has_lunar) {
    intake.head = without_lunar_fields(session, head, *body);
  } else {
    intake.head = client.take(static_cast<uint32_t>(head.size) + *body);
  }
  return intake;
}

Intake take_explicit(Session& session) {
  http::RequestHead& head = session.worker.request_scratch();
  uring::Stream& client = *session.client;
  if (is_probe(session, head)) {
    answer_probe(session, head);
    Intake intake;
    intake.probe = true;
    return intake;
  }
  Route route = find_route(head, {.query_mode = session.worker.config().query_params_mode,
                                  .connect_only = session.role == ListenerRole::connect});
  Intake intake =
      describe(session, head, route.authority.empty() ? head.host : std::string_view(route.authority), route.target);
  intake.request.explicit_mode = true;
  intake.request.draft.mode = route.mode;
  if (session.worker.phase() >= Phase::shutting_down) route.refuse(Refusal::shutting_down, {});
  if (route.tls && !route.refused) {
    route.refuse(Refusal::unreachable, "this version does not open TLS to providers; use CONNECT or transparent mode");
  }
  if (route.refused) return refused_route(session, std::move(intake), route, head);

  intake.host = route.host;
  intake.port = route.port;
  if (route.tunnel) {
    intake.tunnel = true;
    client.take(static_cast<uint32_t>(head.size)).reset();
    return intake;
  }
  std::string_view bytes = client.input()->view();
  auto body = first_body_bytes(intake, bytes.substr(head.size));
  if (!body) {
    route.refuse(Refusal::malformed, "the chunked body");
    return refused_route(session, std::move(intake), route, head);
  }
  intake.body_bytes = *body;
  settle_pooling(head, intake);
  http::RequestRewrite rewrite{.target = route.target, .host = route.authority, .extra = {}};
  std::string_view head_bytes = bytes.substr(0, head.size);
  intake.head = session.worker.loop().buffers().sized(
      static_cast<uint32_t>(http::rewritten_size_limit(head_bytes, rewrite)) + *body);
  uring::Buffer& out = *intake.head;
  out.end = static_cast<uint32_t>(http::rewrite_request(head_bytes, head, rewrite, {out.memory, out.capacity}));
  memcpy(out.memory + out.end, bytes.data() + head.size, *body);
  out.end += *body;
  client.take(static_cast<uint32_t>(head.size) + *body).reset();
  return intake;
}

}  // namespace lunar::gateway
