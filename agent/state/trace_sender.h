// A trace exporter: spans in batches to a collector, as OTLP/HTTP JSON (flows.md §7.12). On the event loop of the admin
// thread; a collector that is slow or gone costs spans, which are counted, and never time of the data path.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/base/event_loop.h"
#include "agent/state/http_post.h"
#include "agent/state/otlp_json.h"
#include "flowengine/run/effect.h"
#include "flowengine/uri.h"

namespace lunar {

struct TraceSenderOptions {
  std::string endpoint;  // a URL; spans for any other text are dropped and counted
  OtlpResource resource;
  OpenChannel open_channel = nullptr;  // the TLS side of its connections; null: an https endpoint is not usable
  Nanoseconds flush_interval = std::chrono::seconds(10);  // from the first span of a batch; 0: at once
  Nanoseconds timeout = std::chrono::seconds(10);         // of one attempt to send a batch, its lookup included
  size_t batch = 512;                      // spans of a request; so many are sent before the interval ends
  size_t buffer = 8192;                    // spans that wait
  size_t buffer_bytes = 16 * 1024 * 1024;  // and about how much memory they take
};

class TraceSender {
 public:
  // Names to addresses without blocking; `done` is called once, on the thread of the event loop; empty: unknown. It may
  // come after the sender has gone.
  using Resolved = std::function<void(std::vector<Endpoint> addresses)>;
  using Resolve = std::function<void(const std::string& host, uint16_t port, Resolved done)>;

  struct Counts {
    uint64_t sent = 0;         // spans that the collector took
    uint64_t dropped = 0;      // for whatever reason
    uint64_t unsupported = 0;  // of these, for an endpoint that nothing can be sent to
  };

  TraceSender(EventLoop& loop, TraceSenderOptions options, Resolve resolve);
  TraceSender(const TraceSender&) = delete;
  TraceSender& operator=(const TraceSender&) = delete;
  ~TraceSender();  // what is unsent is lost, with a line in the log

  void add(emission::Span span);
  // What waits is sent now. On shutdown: run the loop until idle(), for as long as there is time.
  void flush();
  [[nodiscard]] bool idle() const { return unsent() == 0; }
  [[nodiscard]] size_t unsent() const { return waiting_.size() + in_flight_.size(); }
  [[nodiscard]] const Counts& counts() const { return counts_; }

 private:
  void send_batch();
  void attempt();
  void attempt_at(const std::vector<Endpoint>& addresses);
  void take_answer(const HttpPost::Answer& answer);
  void give_up(const std::string& why);
  void next_batch();
  [[nodiscard]] std::string request(const std::string& body) const;
  [[nodiscard]] HttpPost::Secure secure() const;

  TraceSenderOptions options_;
  Resolve resolve_;
  std::optional<AbsoluteTarget> target_;
  bool usable_ = false;
  std::deque<emission::Span> waiting_;
  size_t waiting_bytes_ = 0;
  std::vector<emission::Span> in_flight_;
  std::string message_;  // of the batch in flight
  unsigned attempts_ = 0;
  bool flushing_ = false;  // everything that waits goes, without waiting for the interval
  bool complained_ = false;
  Counts counts_;
  HttpPost post_;
  EventLoop::Source due_;
  EventLoop::Source lookup_deadline_;
  uint64_t lookup_ = 0;                                   // the one whose answer counts
  std::shared_ptr<int> alive_ = std::make_shared<int>();  // for answers of resolve_ that come too late
};

}  // namespace lunar
