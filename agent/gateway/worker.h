// What the sessions of one worker thread share. Everything here belongs to that thread, except what says otherwise.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "agent/base/transaction.h"
#include "agent/config/capture_lists.h"
#include "agent/config/domain_lists.h"
#include "agent/config/gateway_start.h"
#include "agent/gateway/flow_state.h"
#include "agent/gateway/h2_trunk.h"
#include "agent/gateway/script_link.h"
#include "agent/gateway/upstream_pool.h"
#include "agent/http/head.h"
#include "agent/net/resolver.h"
#include "agent/redirect/attribution.h"
#include "agent/redirect/heartbeat.h"
#include "agent/redirect/original_dst.h"
#include "agent/redirect/own_sockets.h"
#include "agent/redirect/unreachable.h"
#include "agent/state/flow_record.h"
#include "agent/uring/acceptor.h"
#include "agent/uring/loop.h"
#include "flowengine/run/selection.h"

namespace lunar::gateway {

class Session;
class TlsInterception;

// Written by one worker, read by the admin thread.
struct WorkerStatistics {
  std::atomic<uint64_t> accepted{0};
  std::atomic<uint64_t> open{0};
  std::atomic<uint64_t> requests{0};
  std::atomic<uint64_t> resent{0};
  std::atomic<uint64_t> pooled{0};
  std::array<std::atomic<uint64_t>, kOpaqueReasons> opaque{};
  std::array<std::atomic<uint64_t>, 32> errors{};

  static void add(std::atomic<uint64_t>& counter, uint64_t amount = 1) {
    counter.store(counter.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
};

// The same for all workers; outlives them. Immutable but for the domain lists.
struct Shared {
  GatewayStart start;
  std::vector<Endpoint> own_listeners;  // destinations that would be a loop
  OriginMap origins{-1};
  OwnSockets own_sockets{-1};
  Unreachable unreachable{-1};
  std::optional<Heartbeats> heartbeats;
  Resolver* resolver = nullptr;
  CaptureLists capture;            // to whose hosts flows apply
  TlsInterception* tls = nullptr;  // null: all TLS is relayed as it is
  FlowState* flows = nullptr;
  FlowRecordQueue* flow_records = nullptr;  // null: nobody wants them
  int program_questions = -1;               // socket of ProgramQuestions, not owned; below 0: nobody wants to know
  std::string request_id_prefix;            // of this process: a request's id is this and its number
};

enum class Phase : uint8_t {
  serving,
  handing_over,   // idle clients go to the successor, busy ones as soon as they are idle
  shutting_down,  // answers carry Connection: close
  ending,         // everything is cut off
};

struct Listener {
  Fd fd;
  ListenerRole role = ListenerRole::worker;
};

class Worker {
 public:
  Worker(Shared& shared, uint32_t index);
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;
  ~Worker();

  // Runs until everything has ended; on the worker's own thread. Signals `opened` with the outcome of opening.
  [[nodiscard]] Result<> run(std::vector<Listener> listeners, const std::function<void(Result<>)>& opened);

  // An explicit mode waits for a name to be resolved on another thread, which will post to the loop.
  void begin_lookup() { ++lookups_; }
  void end_lookup() { --lookups_; }

  // From any thread.
  void add_listener(Listener listener);
  void adopt(Fd client, ListenerRole role);
  void set_domains(DomainLists lists);
  void set_plan(std::shared_ptr<const ActivePlan> active);
  void connect_scripts(Fd socket);   // see ScriptLink::connect
  void waiter_ready(Ticket ticket);  // its outcome lies in the shared FlowState
  // `handover`: a SOCK_SEQPACKET socket for idle clients, or -1; not owned.
  void change_phase(Phase phase, int handover = -1);
  // True once run() has returned; from any thread.
  [[nodiscard]] bool ended() const { return ended_.load(std::memory_order_acquire); }
  [[nodiscard]] const WorkerStatistics& statistics() const { return statistics_; }
  [[nodiscard]] TransactionRing& records() { return records_; }

  // For sessions.
  [[nodiscard]] uring::Loop& loop() { return loop_; }
  [[nodiscard]] const Shared& shared() const { return shared_; }
  [[nodiscard]] const LunardConfig& config() const { return shared_.start.config; }
  [[nodiscard]] UpstreamPool& pool() { return pool_; }
  [[nodiscard]] H2Trunks& trunks() { return trunks_; }
  [[nodiscard]] WorkerStatistics& statistics() { return statistics_; }
  [[nodiscard]] const DomainLists& domains() const { return domains_; }
  [[nodiscard]] Phase phase() const { return phase_; }
  [[nodiscard]] int handover_socket() const { return handover_; }
  // Unique over all workers.
  [[nodiscard]] uint64_t next_request_number() { return ++last_request_ * shared_.start.workers + index_; }
  // Heads are parsed one at a time and used before the next suspension: one scratch of each kind serves all.
  [[nodiscard]] http::RequestHead& request_scratch() { return request_; }
  [[nodiscard]] http::ResponseHead& response_scratch() { return response_; }
  // Tells the admin thread's helper of a client process, once.
  void announce(const Origin& origin);
  [[nodiscard]] uint64_t seed() const { return seed_; }  // for dice; differs from process to process
  // The wall clock is read every few milliseconds, and runs as the other does in between.
  [[nodiscard]] const Instant& instant();
  // Flows. Null: nothing is configured.
  [[nodiscard]] const std::shared_ptr<const ActivePlan>& active_plan() const { return active_; }
  [[nodiscard]] SelectionScratch& selection_scratch() { return selection_scratch_; }
  [[nodiscard]] std::shared_ptr<const lunar::Caller> caller(const Origin& origin);
  void await_ticket(Ticket ticket, uring::Waker* waker);  // null: no longer
  [[nodiscard]] ScriptLink* scripts() { return scripts_.get(); }
  void start(uring::Task<> task) { tasks_.start(std::move(task)); }
  // A socket marked as our own; when descriptors run out, idle upstream connections make room.
  [[nodiscard]] Result<Fd> upstream_socket(const Endpoint& destination);

 private:
  void listen(Listener listener);
  void drop_closed_listeners();
  void begin_session(Fd client, ListenerRole role);
  void enter(Phase phase, int handover);
  void turn(MonotonicTime now);
  [[nodiscard]] bool overloaded(MonotonicTime now);
  [[nodiscard]] bool all_ended() const;

  Shared& shared_;
  uint32_t index_;
  std::atomic<bool> ended_{false};
  WorkerStatistics statistics_;
  TransactionRing records_;
  uring::Loop loop_;
  UpstreamPool pool_;
  H2Trunks trunks_;
  DomainLists domains_;
  struct Accepting {
    Fd fd;
    std::unique_ptr<uring::Acceptor> acceptor;
  };
  std::vector<Accepting> accepting_;
  std::vector<Session*> sessions_;
  std::array<uint64_t, 256> announced_{};  // the last process of each class of pids, by its start
  uring::TaskGroup tasks_;
  Phase phase_ = Phase::serving;
  int handover_ = -1;
  uint64_t last_request_ = 0;
  size_t lookups_ = 0;
  MonotonicTime last_turn_{};
  MonotonicTime out_of_descriptors_until_{};
  Nanoseconds beat_{};
  uint64_t most_sessions_ = 0;
  uint64_t seed_ = 0;
  http::RequestHead request_;
  http::ResponseHead response_;
  Instant instant_, clocks_read_;
  std::shared_ptr<const ActivePlan> active_;
  SelectionScratch selection_scratch_;
  std::unique_ptr<Attribution> attribution_;
  std::unordered_map<uint64_t, std::shared_ptr<const lunar::Caller>> callers_;
  std::unordered_map<Ticket, uring::Waker*> waiting_;
  std::unique_ptr<ScriptLink> scripts_;

  friend class Session;
};

}  // namespace lunar::gateway
