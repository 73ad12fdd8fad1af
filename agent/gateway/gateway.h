// The data path of the gateway process: the worker threads and what they share.
#pragma once

#include <functional>
#include <future>
#include <memory>
#include <span>
#include <thread>
#include <vector>

#include "agent/config/domain_lists.h"
#include "agent/gateway/local_zone.h"
#include "agent/gateway/tls_interception.h"
#include "agent/gateway/worker.h"

namespace lunar::gateway {

// What was made before the process was confined, or by others.
struct GatewayParts {
  std::vector<Fd> script_sockets;        // see Gateway::connect_scripts(); none: scripts fail until then
  FlowRecordQueue* records = nullptr;    // outlives the gateway; null: nobody wants them
  std::unique_ptr<TlsInterception> tls;  // null: nothing is intercepted
};

// Created and called on the admin thread; the workers have threads of their own.
class Gateway {
 public:
  // `fds` in the order that GatewayStart says; it keeps those of the data path (worker, proxy and connect listeners,
  // maps) and leaves the others.
  [[nodiscard]] static Result<std::unique_ptr<Gateway>> create(GatewayStart start, std::vector<Fd>& fds,
                                                               const DomainLists& domains, GatewayParts parts = {});
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;
  ~Gateway();  // ends everything at once if it has not ended

  // Returns when every worker accepts, or the first error.
  [[nodiscard]] Result<> start();
  // Listeners of further network namespaces.
  void add_listener(uint32_t worker, Fd fd, ListenerRole role);
  // An idle client of a predecessor.
  void adopt(Fd client, ListenerRole role);
  void set_domains(const DomainLists& domains);
  // Requests that begin from now on run by this plan; counters of unchanged quotas go on.
  void set_plan(std::shared_ptr<const Plan> plan);
  // Stream sockets to a script host, one for each worker, in place of those before.
  void connect_scripts(std::vector<Fd> sockets);
  [[nodiscard]] FlowState& flows() { return flows_; }

  // No more accepts. Idle clients go through `socket` (SOCK_SEQPACKET), busy ones when they are idle; opaque
  // connections stay until they end.
  void hand_over(Fd socket);
  void shut_down();  // what is under way is finished, answers close their connections
  void end();        // what is left is cut off
  [[nodiscard]] bool ended() const;

  [[nodiscard]] std::span<const std::unique_ptr<Worker>> workers() const { return workers_; }
  [[nodiscard]] const Shared& shared() const { return shared_; }
  [[nodiscard]] uint64_t open_connections() const;

 private:
  Gateway() = default;
  void intercept(std::unique_ptr<TlsInterception> tls, const GatewayStart& start, std::vector<Fd>& fds);
  void run_worker(uint32_t index, std::promise<Result<>>& opened);  // on its own thread

  FlowState flows_{local_zone()};
  Shared shared_;
  std::unique_ptr<Resolver> resolver_;
  std::unique_ptr<TlsInterception> tls_;
  std::vector<Fd> maps_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::vector<Listener>> listeners_;  // per worker, until started
  std::vector<std::thread> threads_;
  Fd handover_;
  size_t next_adopter_ = 0;
};

}  // namespace lunar::gateway
