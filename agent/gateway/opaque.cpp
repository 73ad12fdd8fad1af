// Bytes in both directions that nobody looks at, and their line in the log.
#include "agent/gateway/recorder.h"
#include "agent/gateway/session.h"
#include "agent/uring/pump.h"

namespace lunar::gateway {
namespace {

struct Relayed {
  Ending ending = Ending::closed;
  Termination termination = Termination::ok;
};

// A connection that never was: as TCP says it, a refusal is a reset, silence ends in one.
Relayed never_connected(Session& session, bool timeout) {
  if (session.captured()) session.note_unreachable();
  return {Ending::reset, timeout ? Termination::timeout : Termination::refused};
}

uring::Task<Relayed> pump_until_over(Session& session, uring::Pump& pump) {
  for (;;) {
    uring::Pump::State state = pump.step();
    const bool connected = session.upstream->was_connected();
    if (!connected && (session.upstream->error() != 0 || session.connect_overdue())) {
      co_return never_connected(session, session.upstream->error() == 0);
    }
    switch (state) {
      case uring::Pump::State::finished:
        co_return Relayed{};
      case uring::Pump::State::left_failed:
        session.upstream->reset_on_close(session.client->error());
        co_return Relayed{Ending::closed, Termination::client_abort};
      case uring::Pump::State::right_failed:
        session.failure = session.upstream->error();
        co_return Relayed{Ending::reset, Termination::provider_abort};
      case uring::Pump::State::open:
        break;
    }
    if (session.worker.phase() == Phase::ending) co_return Relayed{Ending::closed, Termination::shutdown};
    co_await session.waker.wait(connected ? MonotonicTime::max() : session.connect_deadline);
  }
}

}  // namespace

uring::Task<Ending> relay_opaque(Session& session, OpaqueReason reason, std::string host) {
  MonotonicTime started = session.worker.loop().now();
  WorkerStatistics::add(session.worker.statistics().opaque[static_cast<size_t>(reason)]);
  if (session.upstream == nullptr && !session.connect(session.origin->destination)) co_return Ending::reset;

  uring::Pump pump(*session.client, *session.upstream);
  Relayed relayed = co_await pump_until_over(session, pump);

  record_opaque(session, {.started = started,
                          .reason = reason,
                          .host = host,
                          .bytes_in = pump.left_to_right(),
                          .bytes_out = pump.right_to_left(),
                          .termination = relayed.termination});
  co_return relayed.ending;
}

}  // namespace lunar::gateway
