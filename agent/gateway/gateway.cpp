#include "agent/gateway/gateway.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <future>

#include "agent/base/log.h"

namespace lunar::gateway {
namespace {

bool of_data_path(ListenerRole role) {
  return role == ListenerRole::worker || role == ListenerRole::proxy || role == ListenerRole::connect;
}

int map_fd(const GatewayStart& start, const std::vector<Fd>& fds, std::string_view name) {
  auto position = start.map_position(name);
  return position ? fds[*position].get() : -1;
}

// One worker a CPU: moving between them would cost more than waiting for one.
void pin_to_cpu(uint32_t index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  auto count = static_cast<uint32_t>(CPU_COUNT(&allowed));
  uint32_t wanted = index % count;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || wanted-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    pthread_setaffinity_np(pthread_self(), sizeof one, &one);
    return;
  }
}

}  // namespace

Result<std::unique_ptr<Gateway>> Gateway::create(GatewayStart start, std::vector<Fd>& fds, const DomainLists& domains,
                                                 GatewayParts parts) {
  std::unique_ptr<Gateway> gateway(new Gateway);
  Shared& shared = gateway->shared_;
  shared.origins = OriginMap(map_fd(start, fds, map_name::origins));
  shared.own_sockets = OwnSockets(map_fd(start, fds, map_name::own_sockets));
  shared.unreachable = Unreachable(map_fd(start, fds, map_name::unreachable));
  if (int heartbeats = map_fd(start, fds, map_name::heartbeats); heartbeats >= 0) {
    auto mapped = Heartbeats::map(heartbeats);
    if (!mapped) return std::unexpected(mapped.error());
    shared.heartbeats.emplace(std::move(*mapped));
  }
  if (auto position = start.program_lookup_position()) shared.program_questions = fds[*position].get();
  gateway->resolver_ = std::make_unique<Resolver>();
  shared.resolver = gateway->resolver_.get();
  const CaptureConfig& capture = start.config.capture;
  auto lists = CaptureLists::create(capture.allow_list, capture.block_list);
  if (!lists) log::error("flows apply to nothing until this is corrected: {}", lists.error().text);
  shared.capture = lists ? *std::move(lists) : CaptureLists::relay_everything();
  if (parts.tls != nullptr) gateway->intercept(std::move(parts.tls), start, fds);
  shared.flows = &gateway->flows_;
  shared.flow_records = parts.records;
  shared.request_id_prefix =
      fmt::format("{}-{:x}-", start.instance_id,
                  static_cast<uint64_t>(monotonic_now().time_since_epoch().count()) ^ static_cast<uint64_t>(getpid()));

  gateway->listeners_.resize(start.workers);
  for (size_t i = 0; i < start.listeners.size(); ++i) {
    const ListenerDescriptor& listener = start.listeners[i];
    if (listener.address) shared.own_listeners.push_back(*listener.address);
    if (!of_data_path(listener.role)) continue;
    if (listener.worker >= start.workers) return fail("a listener names a worker that does not exist");
    gateway->listeners_[listener.worker].push_back({std::move(fds[i]), listener.role});
  }
  for (const std::string& name : start.maps) gateway->maps_.push_back(std::move(fds[*start.map_position(name)]));
  shared.start = std::move(start);
  for (uint32_t index = 0; index < shared.start.workers; ++index) {
    gateway->workers_.push_back(std::make_unique<Worker>(shared, index));
    gateway->workers_.back()->set_domains(domains);
  }
  gateway->connect_scripts(std::move(parts.script_sockets));
  return gateway;
}

void Gateway::intercept(std::unique_ptr<TlsInterception> tls, const GatewayStart& start, std::vector<Fd>& fds) {
  const auto position = start.minting_position();
  auto begun = position ? tls->begin(std::move(fds[*position])) : fail("the supervisor makes no certificates");
  if (!begun) return log::error("no TLS is opened: {}", begun.error().text);
  tls_ = std::move(tls);
  shared_.tls = tls_.get();
}

Gateway::~Gateway() {
  end();
  for (std::thread& thread : threads_) thread.join();
}

void Gateway::run_worker(uint32_t index, std::promise<Result<>>& opened) {
  pthread_setname_np(pthread_self(), fmt::format("worker-{}", index).c_str());
  if (workers_.size() > 1) pin_to_cpu(index);
  auto tell = [&opened](Result<> open) { opened.set_value(std::move(open)); };
  auto outcome = workers_[index]->run(std::move(listeners_[index]), tell);
  if (!outcome) log::error("worker {}: {}", index, outcome.error().text);
}

Result<> Gateway::start() {
  std::vector<std::future<Result<>>> opened;
  for (uint32_t index = 0; index < workers_.size(); ++index) {
    auto promise = std::make_shared<std::promise<Result<>>>();
    opened.push_back(promise->get_future());
    threads_.emplace_back([this, index, promise] { run_worker(index, *promise); });
  }
  Result<> all;
  for (auto& each : opened) {
    if (auto open = each.get(); !open && all) all = open;
  }
  return all;
}

void Gateway::add_listener(uint32_t worker, Fd fd, ListenerRole role) {
  workers_[worker]->add_listener({std::move(fd), role});
}

void Gateway::adopt(Fd client, ListenerRole role) {
  workers_[next_adopter_++ % workers_.size()]->adopt(std::move(client), role);
}

void Gateway::set_domains(const DomainLists& domains) {
  for (auto& worker : workers_) worker->set_domains(domains);
}

void Gateway::set_plan(std::shared_ptr<const Plan> plan) {
  auto active = flows_.activate(std::move(plan), instant_at(monotonic_now()));
  for (auto& worker : workers_) worker->set_plan(active);
}

void Gateway::connect_scripts(std::vector<Fd> sockets) {
  for (size_t i = 0; i < std::min(sockets.size(), workers_.size()); ++i)
    workers_[i]->connect_scripts(std::move(sockets[i]));
}

void Gateway::hand_over(Fd socket) {
  handover_ = std::move(socket);
  for (auto& worker : workers_) worker->change_phase(Phase::handing_over, handover_.get());
}

void Gateway::shut_down() {
  // In this order, so that the answers to who was waiting close their connections too.
  for (auto& worker : workers_) worker->change_phase(Phase::shutting_down);
  flows_.block_all(instant_at(monotonic_now()));
}

void Gateway::end() {
  for (auto& worker : workers_) worker->change_phase(Phase::ending);
}

bool Gateway::ended() const {
  for (const auto& worker : workers_) {
    if (!worker->ended()) return false;
  }
  return true;
}

uint64_t Gateway::open_connections() const {
  uint64_t sum = 0;
  for (const auto& worker : workers_) sum += worker->statistics().open.load(std::memory_order_relaxed);
  return sum;
}

}  // namespace lunar::gateway
