// A client connection of HTTP/2: every request is a session of its own, whose connection to the provider is a stream of
// a trunk.
#include "agent/gateway/session.h"
#include "agent/uring/page_pool.h"

namespace lunar::gateway {
namespace {

bool client_gone(const Session& session) {
  return session.client->error() != 0 || session.worker.phase() == Phase::ending;
}

http::H2Options options_for(Session& session, bool extended_connect) {
  return {.scheme = session.tls != nullptr ? "https" : "http",
          .extended_connect = extended_connect,
          .grpc = !session.converting(),
          .frame_blocks = {uring::PagePool::block_size, uring::PagePool::allocate, uring::PagePool::release},
          .websocket_nonce = session.worker.next_request_number() ^ session.worker.seed(),
          .now = session.worker.loop().now()};
}

// False: the client is to be cut off, as it would be without us.
uring::Task<bool> reach_provider(Session& session) {
  if (session.upstream == nullptr && !session.connect(session.origin->destination)) co_return false;
  const uring::Stream& upstream = *session.upstream;
  while (upstream.connecting() && upstream.error() == 0 && !session.connect_overdue() && !client_gone(session))
    co_await session.waker.wait(session.connect_deadline);
  if (!upstream.connecting() && upstream.error() == 0) co_return true;
  if (!client_gone(session)) session.note_unreachable();
  co_return false;
}

// What the client is offered depends on what the provider offers.
uring::Task<> learn_settings(Session& session, H2Connection& provider) {
  const MonotonicTime deadline = session.worker.loop().now() + session.worker.config().timeouts.connect;
  provider.wake_when_settled(&session.waker);
  while (!provider.settled() && !client_gone(session) && session.worker.loop().now() < deadline)
    co_await session.waker.wait(deadline);
  provider.wake_when_settled(nullptr);
}

// One that is idle ends when the gateway does not serve any more; one that is busy, when it asks for something more.
void look_after(const Session& session, H2Connection& client) {
  if (session.worker.phase() == Phase::ending) return client.abort();
  if (session.worker.phase() != Phase::serving && client.idle()) client.drain();
}

}  // namespace

void Session::begin_h2(std::shared_ptr<const H2Provider> provider) {
  auto connection =
      std::make_shared<H2Connection>(worker.loop(), H2Connection::Role::client, options_for(*this, true), nullptr);
  auto trunk = H2Trunk::create(worker.trunks(), std::move(provider), connection);
  if (h2 == nullptr)
    h2 = std::make_shared<H2Route>(std::move(trunk));
  else
    h2->take(std::move(trunk));
  worker.start(H2Connection::carry(std::move(connection), std::move(upstream), connect_deadline));
}

namespace {

// Until the provider has said what it takes. False: the client is to be cut off.
uring::Task<bool> meet_provider(Session& session) {
  if (session.h2 == nullptr) {
    if (!co_await reach_provider(session)) co_return false;
    session.begin_h2(std::make_shared<H2Provider>(H2Provider{.destination = session.origin->destination}));
  }
  co_await learn_settings(session, session.h2->trunk().connection());
  // Clients that came at once have each made a connection.
  const H2Provider& provider = *session.h2->trunk().provider();
  auto first = session.worker.trunks().find(provider.destination, provider.sharing);
  if (first != nullptr && first->connection().settled()) session.h2->take(std::move(first));
  co_return !session.h2->trunk().connection().over() && !client_gone(session);
}

bool offers_extended_connect(const Session& session) {
  return session.converting() || session.h2->trunk().connection().peer_offers_extended_connect();
}

}  // namespace

uring::Task<Ending> serve_h2(Session& session) {
  const bool converts = session.converting();
  if (!converts && !co_await meet_provider(session)) co_return Ending::reset;
  std::shared_ptr<H2Connection> client;
  auto accept = [&session, &client](uring::StreamRef stream) {
    session.worker.start(Session::live_stream(session, std::move(stream)));
    if (session.worker.phase() != Phase::serving) client->drain();
  };
  client = std::make_shared<H2Connection>(session.worker.loop(), H2Connection::Role::server,
                                          options_for(session, offers_extended_connect(session)), accept);
  if (!converts) session.h2->lead(client);
  co_await client->run(*session.client, session.waker, [&session, &client] { look_after(session, *client); });
  session.h2.reset();
  co_return session.client->error() != 0 || client->cut_off() ? Ending::reset : Ending::finish;
}

}  // namespace lunar::gateway
