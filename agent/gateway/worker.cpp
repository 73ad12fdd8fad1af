#include "agent/gateway/worker.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "agent/gateway/session.h"
#include "agent/redirect/program_lookup.h"

namespace lunar::gateway {
namespace {

constexpr size_t record_capacity = 16384;
constexpr unsigned receive_buffers = 8192;
// Descriptors that are not connections: maps, listeners, logs, the resolver.
constexpr uint64_t reserved_descriptors = 256;
constexpr size_t evicted_at_once = 64;
// After running out of descriptors a worker stays busy this long, so that the hook lets the queue drain.
constexpr Nanoseconds descriptor_pause = std::chrono::milliseconds(500);

// Each connection has a client's and a provider's descriptor.
uint64_t session_limit(const Shared& shared) {
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  uint64_t usable =
      limit.rlim_cur > 2 * reserved_descriptors ? limit.rlim_cur - reserved_descriptors : limit.rlim_cur / 2;
  uint64_t by_descriptors = usable / 2 / shared.start.workers;
  uint64_t by_configuration = shared.start.config.max_connections / shared.start.workers;
  return std::max<uint64_t>(1, std::min(by_descriptors, by_configuration));
}

}  // namespace

Worker::Worker(Shared& shared, uint32_t index)
    : shared_(shared),
      index_(index),
      records_(record_capacity),
      pool_(loop_),
      beat_(shared.start.config.failsafe.heartbeat_deadline / 5),
      most_sessions_(session_limit(shared)),
      seed_(std::hash<std::string>{}(shared.request_id_prefix) + index) {}

Worker::~Worker() = default;

Result<> Worker::run(std::vector<Listener> listeners, const std::function<void(Result<>)>& opened) {
  auto open = loop_.open(receive_buffers);
  if (open) {
    for (Listener& each : listeners) listen(std::move(each));
    scripts_ = std::make_unique<ScriptLink>(loop_);
    tasks_.start(scripts_->run());
  }
  opened(open);
  if (!open) {
    ended_.store(true, std::memory_order_release);
    return open;
  }
  auto outcome = loop_.run(beat_, [this](MonotonicTime now) { turn(now); });
  ended_.store(true, std::memory_order_release);
  return outcome;
}

void Worker::listen(Listener listener) {
  ListenerRole role = listener.role;
  auto accepted = [this, role](Fd client) { begin_session(std::move(client), role); };
  auto refused = [this](int error) {
    if (error == EINVAL) return loop_.post([this] { drop_closed_listeners(); });
    out_of_descriptors_until_ = loop_.now() + descriptor_pause;
    pool_.evict(evicted_at_once);
  };
  // Accepted sockets inherit it: small pieces of a response go out as they come, and do not wait for acknowledgements.
  const int on = 1;
  setsockopt(listener.fd.get(), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  auto acceptor = std::make_unique<uring::Acceptor>(loop_, listener.fd.get(), std::move(accepted), std::move(refused));
  acceptor->start();
  accepting_.push_back({std::move(listener.fd), std::move(acceptor)});
}

// A network namespace that has ended: as long as we hold its listener, it stays.
void Worker::drop_closed_listeners() {
  std::erase_if(accepting_,
                [](const Accepting& each) { return each.acceptor->stopped() && !each.acceptor->retrying(); });
}

void Worker::begin_session(Fd client, ListenerRole role) {
  WorkerStatistics::add(statistics_.accepted);
  if (role == ListenerRole::worker && shared_.heartbeats) shared_.heartbeats->accepted(index_);
  tasks_.start(Session::live(*this, std::move(client), role));
}

void Worker::add_listener(Listener listener) {
  // std::function copies its target, a descriptor has one owner.
  auto shared = std::make_shared<Listener>(std::move(listener));
  loop_.post([this, shared] { listen(std::move(*shared)); });
}

void Worker::adopt(Fd client, ListenerRole role) {
  auto shared = std::make_shared<Fd>(std::move(client));
  loop_.post([this, shared, role] { begin_session(std::move(*shared), role); });
}

void Worker::set_domains(DomainLists lists) {
  loop_.post([this, lists = std::move(lists)] { domains_ = lists; });
}

void Worker::set_plan(std::shared_ptr<const ActivePlan> active) {
  loop_.post([this, active = std::move(active)] { active_ = active; });
}

void Worker::connect_scripts(Fd socket) {
  auto shared = std::make_shared<Fd>(std::move(socket));
  loop_.post([this, shared] { scripts_->connect(std::move(*shared)); });
}

void Worker::waiter_ready(Ticket ticket) {
  loop_.post([this, ticket] {
    if (auto found = waiting_.find(ticket); found != waiting_.end()) found->second->signal();
  });
}

void Worker::await_ticket(Ticket ticket, uring::Waker* waker) {
  if (waker == nullptr) {
    waiting_.erase(ticket);
  } else {
    waiting_[ticket] = waker;
  }
}

// Reads /proc once a process: only requests that a flow may concern pay for it.
std::shared_ptr<const lunar::Caller> Worker::caller(const Origin& origin) {
  constexpr size_t most_callers = 4096;
  const uint64_t key = (uint64_t{origin.pid} << 40U) ^ origin.start_ns ^ origin.cgroup_id;
  if (auto known = callers_.find(key); known != callers_.end()) return known->second;
  if (attribution_ == nullptr) attribution_ = std::make_unique<Attribution>(most_callers);
  const Process& process = attribution_->resolve(origin);
  auto out = std::make_shared<lunar::Caller>(lunar::Caller{.pid = process.pid,
                                                           .uid = process.uid,
                                                           .comm = process.comm,
                                                           .exe = process.exe,
                                                           .cgroup = process.cgroup,
                                                           .unit = process.unit,
                                                           .container = process.container});
  if (callers_.size() >= most_callers) callers_.clear();
  callers_.emplace(key, out);
  return out;
}

const Instant& Worker::instant() {
  constexpr Nanoseconds reading_period = std::chrono::milliseconds(10);
  const MonotonicTime now = loop_.now();
  if (now == instant_.steady) return instant_;
  const Nanoseconds since = now - clocks_read_.steady;
  if (since >= reading_period) return instant_ = clocks_read_ = instant_at(now);
  instant_ = {now, clocks_read_.wall + std::chrono::floor<std::chrono::milliseconds>(since)};
  return instant_;
}

void Worker::change_phase(Phase phase, int handover) {
  loop_.post([this, phase, handover] { enter(phase, handover); });
}

void Worker::enter(Phase phase, int handover) {
  phase_ = std::max(phase_, phase);
  handover_ = handover;
  for (Accepting& each : accepting_) each.acceptor->stop();
  pool_.evict(pool_.size());
  for (Session* session : sessions_) session->waker.signal();
}

void Worker::announce(const Origin& origin) {
  if (shared_.program_questions < 0) return;
  uint64_t process = origin.start_ns ^ origin.pid;
  uint64_t& last = announced_[origin.pid % announced_.size()];
  if (std::exchange(last, process) != process) ProgramQuestions::announce(shared_.program_questions, origin.pid);
}

Result<Fd> Worker::upstream_socket(const Endpoint& destination) {
  auto socket = uring::open_tcp_socket(destination);
  if (!socket && (socket.error().os_error == EMFILE || socket.error().os_error == ENFILE)) {
    out_of_descriptors_until_ = loop_.now() + descriptor_pause;
    pool_.evict(evicted_at_once);
    socket = uring::open_tcp_socket(destination);
  }
  if (!socket) return socket;
  if (!shared_.own_sockets.mark(socket->get())) return fail("the kernel cannot mark a socket as ours", ENOMEM);
  return socket;
}

bool Worker::overloaded(MonotonicTime now) {
  if (now < out_of_descriptors_until_ || sessions_.size() >= most_sessions_) return true;
  if (loop_.buffers().scarce()) return true;
  // A turn that took this long lets every connection wait; the next connects are better off elsewhere.
  return last_turn_ != MonotonicTime{} && now - last_turn_ > shared_.start.config.failsafe.heartbeat_deadline / 2;
}

bool Worker::all_ended() const {
  return phase_ != Phase::serving && tasks_.size() == 0 && lookups_ == 0 && pool_.size() == 0 &&
         std::all_of(accepting_.begin(), accepting_.end(),
                     [](const Accepting& each) { return each.acceptor->stopped(); });
}

void Worker::turn(MonotonicTime now) {
  // Once it hands over, the slot belongs to the successor's worker of the same number.
  if (shared_.heartbeats && phase_ == Phase::serving) {
    shared_.heartbeats->set_busy(index_, overloaded(now));
    shared_.heartbeats->beat(index_, now);
  }
  last_turn_ = now;
  statistics_.pooled.store(pool_.size(), std::memory_order_relaxed);
  if (phase_ != Phase::serving) pool_.evict(pool_.size());
  if (phase_ != Phase::serving && sessions_.empty()) scripts_->stop();
  if (all_ended()) loop_.stop();
}

}  // namespace lunar::gateway
