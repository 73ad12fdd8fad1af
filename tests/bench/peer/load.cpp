#include "tests/bench/peer/load.h"

#include <algorithm>
#include <deque>

#include "tests/bench/peer/histogram.h"

namespace lunar::bench {

namespace {

using std::chrono::milliseconds;

constexpr unsigned kWave = 64;           // connections opened without an answer yet; fits every backlog
constexpr milliseconds kPatience{5000};  // for answers that are still out; later ones count as lost
constexpr milliseconds kBulkPatience{60000};
constexpr milliseconds kSettling{20};  // the gateway sees the end of its connections
constexpr uint64_t kErrorsThatEndARun = 1000;

double own_cpu_seconds() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) + static_cast<double>(used.tv_nsec) * 1e-9;
}

}  // namespace

Load::Load(Bench& bench, const Order& order, Ending ending)
    : bench_(bench),
      order_(order),
      origin_(order.tls ? bench.tls_origin : bench.origin),
      request_(order.body_size, ending),
      tls_(order.tls ? std::make_unique<TlsContext>(*order.tls) : nullptr),
      context_{bench.reactor, bench.pattern, request_, order.body_size, bench.scratch, bench.next_number, tls_.get()},
      gateway_clock_(order.gateway) {}

void Load::answered(Client& client) {
  --in_flight_;
  ++answers_;
  if (!raising_) next(client);
}

void Load::closed(Client& /*client*/) { error("the connection was closed between two requests"); }

void Load::failed(Client& /*client*/, const char* why) {
  --in_flight_;
  error(why);
}

void Load::error(const char* why) {
  if (figures_.errors++ == 0) figures_.first_error = why;
  if (figures_.errors > kErrorsThatEndARun) stopping_ = true;
}

void Load::request(Client& client, MonotonicTime scheduled) {
  ++in_flight_;
  client.request(scheduled);
}

Client& Load::open_next() {
  clients_.push_back(std::make_unique<Client>(context_, *this));
  clients_.back()->open(order_.target);
  if (clients_.back()->runs_over_loopback()) ++figures_.redirected;
  return *clients_.back();
}

void Load::raise(milliseconds patience) {
  raising_ = true;
  MonotonicTime limit = monotonic_now() + patience;
  while ((clients_.size() < order_.connections || in_flight_ > 0) && figures_.errors == 0) {
    while (clients_.size() < order_.connections && in_flight_ < kWave) {
      request(open_next(), {});
      limit = monotonic_now() + patience;
    }
    bench_.reactor.poll(milliseconds(100));
    if (monotonic_now() > limit) error("no answer on a new connection");
  }
  raising_ = false;
}

void Load::raise_all_at_once() {
  raising_ = true;
  origin_.hold();
  MonotonicTime limit = monotonic_now() + kPatience;
  while (origin_.held() < order_.connections && figures_.errors == 0) {
    size_t allowed = std::min<size_t>(order_.connections, origin_.held() + kWave);
    while (clients_.size() < allowed) {
      request(open_next(), {});
      limit = monotonic_now() + kPatience;
    }
    bench_.reactor.poll(milliseconds(100));
    if (monotonic_now() > limit) error("a request did not reach the origin");
  }
  origin_.release();
  drain();
  raising_ = false;
  stopping_ = false;
}

// Never sleeps: waking it would be CPU time of the gateway, more of it the slower the gateway is.
void Load::serve_until(MonotonicTime end) {
  while (monotonic_now() < end && !stopping_) bench_.reactor.poll(milliseconds(0));
}

void Load::begin_window() {
  window_begin_ = monotonic_now();
  figures_.requests = answers_;
  figures_.provider = origin_.handshakes();
  figures_.gateway_cpu = gateway_clock_.seconds();
  figures_.peer_cpu = own_cpu_seconds();
}

void Load::end_window() {
  figures_.seconds = std::chrono::duration<double>(monotonic_now() - window_begin_).count();
  figures_.requests = answers_ - figures_.requests;
  figures_.provider.all = origin_.handshakes().all - figures_.provider.all;
  figures_.provider.resumed = origin_.handshakes().resumed - figures_.provider.resumed;
  figures_.gateway_cpu = gateway_clock_.seconds() - figures_.gateway_cpu;
  figures_.peer_cpu = own_cpu_seconds() - figures_.peer_cpu;
}

void Load::measure() {
  serve_until(monotonic_now() + order_.warm_up);
  begin_window();
  serve_until(monotonic_now() + order_.measure);
  end_window();
  drain();
}

void Load::drain() {
  stopping_ = true;
  MonotonicTime limit = monotonic_now() + kPatience;
  while (in_flight_ > 0 && monotonic_now() < limit) bench_.reactor.poll(milliseconds(100));
  if (in_flight_ > 0) error("requests stayed unanswered");
}

Figures Load::finish() {
  for (const std::unique_ptr<Client>& client : clients_) client->close();
  stopping_ = false;
  serve_until(monotonic_now() + kSettling);
  return figures_;
}

namespace {

class ClosedLoad final : public Load {
 public:
  using Load::Load;

  Figures run() override {
    raise(kPatience);
    for (const std::unique_ptr<Client>& client : clients_) {
      if (client->is_open()) request(*client, {});
    }
    measure();
    return finish();
  }

 private:
  void next(Client& client) override {
    if (!stopping_) request(client, {});
  }
};

// Requests are due at a fixed rate whatever the gateway does; the time that one waits for a free connection is part
// of its latency.
class OpenLoad final : public Load {
 public:
  OpenLoad(Bench& bench, const Order& order) : Load(bench, order), interval_(static_cast<int64_t>(1e9 / order.rate)) {}

  Figures run() override {
    raise(kPatience);
    for (const std::unique_ptr<Client>& client : clients_) free_.push_back(client.get());
    MonotonicTime start = monotonic_now();
    counted_from_ = start + order_.warm_up;
    due_ = start;
    send_due_until(counted_from_);
    begin_window();
    send_due_until(counted_from_ + order_.measure);
    end_window();
    drain();
    figures_.p50 = latencies_.quantile(0.5);
    figures_.p99 = latencies_.quantile(0.99);
    figures_.p999 = latencies_.quantile(0.999);
    return finish();
  }

 private:
  // Never sleeps either: its own wake-up would be counted as the gateway's latency.
  void send_due_until(MonotonicTime end) {
    for (MonotonicTime now = monotonic_now(); now < end && !stopping_; now = monotonic_now()) {
      for (; due_ <= now; due_ += interval_) {
        waiting_.push_back(due_);
        send_waiting();
      }
      bench_.reactor.poll(milliseconds(0));
    }
  }

  void send_waiting() {
    while (!waiting_.empty() && !free_.empty()) {
      Client* client = free_.front();
      MonotonicTime scheduled = waiting_.front();
      free_.pop_front();
      waiting_.pop_front();
      request(*client, scheduled);
    }
  }

  void next(Client& client) override {
    if (client.scheduled() >= counted_from_) {
      latencies_.record(static_cast<uint64_t>((monotonic_now() - client.scheduled()).count()));
    }
    free_.push_back(&client);
    send_waiting();
  }

  std::chrono::nanoseconds interval_;
  MonotonicTime due_{};
  MonotonicTime counted_from_{};
  std::deque<MonotonicTime> waiting_;
  std::deque<Client*> free_;  // first in, first out: all connections take part
  Histogram latencies_;
};

class ChurnLoad final : public Load {
 public:
  ChurnLoad(Bench& bench, const Order& order) : Load(bench, order, Ending::close) {}

  Figures run() override {
    raise(kPatience);  // each of them is closed by the gateway and then opened anew
    up_ = true;
    for (const std::unique_ptr<Client>& client : clients_) {
      if (!client->is_open()) open(*client);
    }
    measure();
    return finish();
  }

  void closed(Client& client) override {
    if (up_ && !stopping_) open(client);
  }

 private:
  void open(Client& client) {
    client.open(order_.target);
    request(client, {});
  }

  void next(Client& /*client*/) override {}

  bool up_ = false;
};

class BulkLoad final : public Load {
 public:
  using Load::Load;

  Figures run() override {
    begin_window();
    raise(kBulkPatience);
    end_window();
    return finish();
  }

 private:
  void next(Client& /*client*/) override {}
};

class IdleLoad final : public Load {
 public:
  using Load::Load;

  Figures run() override {
    begin_window();
    order_.all_at_once ? raise_all_at_once() : raise(kPatience);
    end_window();
    return figures_;
  }

 private:
  void next(Client& /*client*/) override {}
};

}  // namespace

std::unique_ptr<Load> closed_load(Bench& bench, const Order& order) {
  return std::make_unique<ClosedLoad>(bench, order);
}
std::unique_ptr<Load> open_load(Bench& bench, const Order& order) { return std::make_unique<OpenLoad>(bench, order); }
std::unique_ptr<Load> churn_load(Bench& bench, const Order& order) { return std::make_unique<ChurnLoad>(bench, order); }
std::unique_ptr<Load> bulk_load(Bench& bench, const Order& order) { return std::make_unique<BulkLoad>(bench, order); }
std::unique_ptr<Load> idle_load(Bench& bench, const Order& order) { return std::make_unique<IdleLoad>(bench, order); }

}  // namespace lunar::bench
