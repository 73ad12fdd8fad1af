// A client connection of HTTP/2: every request is a session of its own, and so is every connection to the provider a
// stream of one that belongs to this client.
#include "agent/gateway/session.h"

namespace lunar::gateway {
namespace {

http::H2Options options_for(Session& session) {
  return {.websocket_nonce = session.worker.next_request_number() ^ session.worker.seed(),
          .now = session.worker.loop().now()};
}

}  // namespace

uring::Task<Ending> serve_h2(Session& session) {
  using Role = H2Connection::Role;
  Worker& worker = session.worker;
  if (session.upstream == nullptr && !session.connect(session.origin->destination)) co_return Ending::reset;
  session.tls->h2 = std::make_shared<H2Connection>(worker.loop(), Role::client, options_for(session), nullptr);
  auto client = std::make_shared<H2Connection>(
      worker.loop(), Role::server, options_for(session),
      [&session](uring::StreamRef stream) { session.worker.start(Session::live_stream(session, std::move(stream))); });
  session.tls->h2->follow_with(client);
  session.tls->upstream = nullptr;
  worker.start(H2Connection::carry(session.tls->h2, std::move(session.upstream)));
  co_await client->run(*session.client, session.waker, [&session, &client] {
    if (session.worker.phase() == Phase::ending) return client->abort();
    if (session.worker.phase() != Phase::serving) client->drain();
  });
  session.tls->h2->drain();
  co_return session.client->error() != 0 ? Ending::reset : Ending::finish;
}

}  // namespace lunar::gateway
