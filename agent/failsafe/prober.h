// Asks every worker, through its real port, for an answer to a question that nobody could guess.
#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"
#include "agent/base/event_loop.h"

namespace lunar {

struct ProbeTiming {
  Nanoseconds interval;
  Nanoseconds deadline;  // unanswered by then: failed
};

struct ProbeResult {
  size_t worker = 0;
  bool answered = false;
  Nanoseconds latency{};
};

class Prober {
 public:
  using Report = std::function<void(const ProbeResult&)>;

  Prober(EventLoop& loop, ProbeTiming timing, Report report);
  Prober(const Prober&) = delete;
  Prober& operator=(const Prober&) = delete;
  ~Prober();

  // From now on these ports, one of each worker, are asked every interval, first at once. What was asked before is
  // forgotten without a report: it was a question to another process.
  void ask(std::vector<Endpoint> workers);
  void stop() { ask({}); }

 private:
  class Probe;
  void round();
  void settle(Probe& probe, bool answered);

  EventLoop& loop_;
  ProbeTiming timing_;
  Report report_;
  std::vector<Endpoint> workers_;
  std::list<Probe> pending_;
  uint64_t nonce_;
  EventLoop::Source tick_;
};

}  // namespace lunar
