// Explicit modes: a client that was told of the gateway says itself where its requests go.
#include <algorithm>
#include <array>
#include <memory>

#include "agent/gateway/policy.h"
#include "agent/gateway/request_intake.h"
#include "agent/gateway/session.h"

namespace lunar::gateway {
namespace {

// Between attempts at different addresses of one name (RFC 8305 §5).
constexpr Nanoseconds stagger = std::chrono::milliseconds(250);

// Shared with the resolver's thread, which may answer after the session has given up.
struct Lookup {
  uring::Loop& loop;
  uring::Waker* waker;  // null: nobody waits any more; touched on the loop's thread only
  bool done = false;
  Result<std::vector<Endpoint>> found;
};

uring::Task<Result<std::vector<Endpoint>>> resolve(Session& session, const Intake& intake) {
  if (auto address = IpAddress::parse(intake.host)) co_return std::vector{Endpoint{*address, intake.port}};
  auto lookup = std::make_shared<Lookup>(Lookup{session.worker.loop(), &session.waker, false, fail("")});
  session.worker.begin_lookup();
  session.worker.shared().resolver->resolve(intake.host, intake.port,
                                            [lookup, &worker = session.worker](Result<std::vector<Endpoint>> found) {
                                              worker.loop().post([lookup, &worker, found = std::move(found)] {
                                                worker.end_lookup();
                                                lookup->found = found;
                                                lookup->done = true;
                                                if (lookup->waker != nullptr) lookup->waker->signal();
                                              });
                                            });
  MonotonicTime deadline = session.worker.loop().now() + session.worker.config().timeouts.connect;
  while (!lookup->done && session.client->error() == 0 && session.worker.loop().now() < deadline)
    co_await session.waker.wait(deadline);
  lookup->waker = nullptr;
  if (!lookup->done) co_return fail("the resolver does not answer");
  co_return std::move(lookup->found);
}

// Addresses of both families in turn, in the resolver's order otherwise (RFC 8305 §4).
std::vector<Endpoint> interleaved(const std::vector<Endpoint>& endpoints) {
  std::vector<Endpoint> mixed;
  std::array<size_t, 2> next{};
  bool v4 = endpoints.front().address.is_v4();
  while (mixed.size() < endpoints.size()) {
    size_t& at = next[v4 ? 1 : 0];
    while (at < endpoints.size() && endpoints[at].address.is_v4() != v4) ++at;
    if (at < endpoints.size()) mixed.push_back(endpoints[at++]);
    v4 = !v4;
  }
  return mixed;
}

struct Attempt {
  Endpoint destination;
  uring::StreamRef stream;
};

// The first attempt that is connected; failed ones are dropped.
std::optional<Attempt> harvest(std::vector<Attempt>& attempts) {
  std::erase_if(attempts, [](const Attempt& attempt) { return attempt.stream->error() != 0; });
  auto connected = std::find_if(attempts.begin(), attempts.end(),
                                [](const Attempt& attempt) { return !attempt.stream->connecting(); });
  if (connected == attempts.end()) return std::nullopt;
  return std::move(*connected);
}

// Sets session.upstream to the connection that is there first.
uring::Task<bool> dial(Session& session, std::vector<Endpoint> endpoints) {
  std::vector<Attempt> attempts;
  size_t next = 0;
  MonotonicTime give_up = session.worker.loop().now() + session.worker.config().timeouts.connect;
  MonotonicTime next_attempt = session.worker.loop().now();
  for (;;) {
    if (auto won = harvest(attempts)) {
      session.upstream = std::move(won->stream);
      session.upstream_destination = won->destination;
      session.upstream_reused = false;
      co_return true;
    }
    MonotonicTime now = session.worker.loop().now();
    if (next < endpoints.size() && (attempts.empty() || now >= next_attempt)) {
      if (session.connect(endpoints[next])) attempts.push_back({endpoints[next], std::move(session.upstream)});
      ++next;
      next_attempt = now + stagger;
      continue;
    }
    if ((attempts.empty() && next == endpoints.size()) || now >= give_up || session.client->error() != 0)
      co_return false;
    co_await session.waker.wait(next < endpoints.size() ? std::min(next_attempt, give_up) : give_up);
  }
}

bool is_own_listener(const Session& session, const std::vector<Endpoint>& endpoints) {
  const auto& own = session.worker.shared().own_listeners;
  return std::any_of(endpoints.begin(), endpoints.end(),
                     [&own](const Endpoint& each) { return std::find(own.begin(), own.end(), each) != own.end(); });
}

void refuse(Intake& intake, Refusal refusal, std::string detail) {
  bool body = !intake.request.body.done() || intake.tunnel;
  intake.answer =
      Answer{.refusal = refusal, .detail = std::move(detail), .close = body, .head_only = intake.request.context.head};
}

void greet_tunnel(Session& session) {
  constexpr std::string_view established = "HTTP/1.1 200 Connection established\r\n\r\n";
  uring::BufferRef out = session.worker.loop().buffers().sized(established.size());
  out->end = static_cast<uint32_t>(established.copy(out->memory, out->capacity));
  session.client->send(std::move(out));
}

}  // namespace

uring::Task<> reach_provider(Session& session, Intake& intake) {
  auto verdict = session.worker.domains().check(intake.host, intake.port);
  if (verdict != DomainLists::Verdict::pass) {
    refuse(intake, verdict == DomainLists::Verdict::blocked ? Refusal::blocked : Refusal::not_allowed, intake.host);
    co_return;
  }
  auto endpoints = co_await resolve(session, intake);
  if (!endpoints || endpoints->empty()) {
    refuse(intake, Refusal::unresolved, intake.host);
    co_return;
  }
  if (is_own_listener(session, *endpoints)) {
    refuse(intake, Refusal::own_listener, intake.host);
    co_return;
  }
  session.upstream.reset();
  if (intake.pooled && !intake.tunnel) {
    for (const Endpoint& each : *endpoints) {
      if (!session.worker.pool().has(each)) continue;
      intake.request.destination = intake.request.draft.destination = each;
      co_return;
    }
  }
  if (!co_await dial(session, interleaved(*endpoints))) {
    refuse(intake, Refusal::unreachable, intake.host);
    co_return;
  }
  session.upstream->wake(&session.waker);
  intake.request.destination = intake.request.draft.destination = session.upstream_destination;
  if (intake.tunnel) greet_tunnel(session);
}

uring::Task<Ending> serve_explicit(Session& session) { return serve_http(session); }

}  // namespace lunar::gateway
