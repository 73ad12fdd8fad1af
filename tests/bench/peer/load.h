// What the generator does to a target: the kinds of load, and the figures that come out of them.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/bench/peer/client.h"
#include "tests/bench/peer/cpu_clock.h"
#include "tests/bench/peer/origin.h"

namespace lunar::bench {

// What outlives a single load.
struct Bench {
  Reactor& reactor;
  const Pattern& pattern;
  Origin& origin;
  Origin& tls_origin;
  std::string scratch = std::string(256UL << 10, '\0');
  uint64_t next_number = 1;
};

struct Order {
  Endpoint target;
  unsigned connections = 1;
  double rate = 0;  // requests per second, open loop only
  std::chrono::milliseconds warm_up{0};
  std::chrono::milliseconds measure{0};
  uint64_t body_size = 1024;
  bool all_at_once = false;     // idle only: every connection has an unanswered request before the first answer
  std::optional<TlsTrust> tls;  // none: generator and origin speak in clear
  std::vector<pid_t> gateway;
};

struct Figures {
  uint64_t requests = 0;
  uint64_t errors = 0;
  std::string first_error;
  double seconds = 0;
  double gateway_cpu = 0;  // seconds
  double peer_cpu = 0;
  unsigned redirected = 0;              // connections that run over loopback
  Handshakes provider;                  // between gateway and origin
  uint64_t p50 = 0, p99 = 0, p999 = 0;  // nanoseconds, open loop only
};

class Load : public ClientOwner {
 public:
  Load(Bench& bench, const Order& order, Ending ending = Ending::keep_alive);
  virtual ~Load() = default;
  virtual Figures run() = 0;
  Figures finish();  // closes all connections; what went wrong up to here is in the figures

  void answered(Client& client) final;
  void closed(Client& client) override;
  void failed(Client& client, const char* why) final;

 protected:
  virtual void next(Client& client) = 0;  // after an answer, when all connections are up

  void raise(std::chrono::milliseconds patience);  // opens all connections in waves and gets one answer on each
  void raise_all_at_once();
  void request(Client& client, MonotonicTime scheduled);
  void serve_until(MonotonicTime end);
  void measure();  // warm-up, then the window that the figures tell of, then the last answers
  void begin_window();
  void end_window();
  void drain();
  void error(const char* why);

  Bench& bench_;
  Order order_;
  std::vector<std::unique_ptr<Client>> clients_;
  Figures figures_;
  uint64_t answers_ = 0;
  bool stopping_ = false;

 private:
  Client& open_next();

  Origin& origin_;
  Request request_;
  std::unique_ptr<TlsContext> tls_;
  ClientContext context_;
  CpuClock gateway_clock_;
  MonotonicTime window_begin_{};
  unsigned in_flight_ = 0;
  bool raising_ = false;
};

[[nodiscard]] std::unique_ptr<Load> closed_load(Bench& bench, const Order& order);
[[nodiscard]] std::unique_ptr<Load> open_load(Bench& bench, const Order& order);
[[nodiscard]] std::unique_ptr<Load> churn_load(Bench& bench, const Order& order);
[[nodiscard]] std::unique_ptr<Load> bulk_load(Bench& bench, const Order& order);
[[nodiscard]] std::unique_ptr<Load> idle_load(Bench& bench, const Order& order);

}  // namespace lunar::bench
