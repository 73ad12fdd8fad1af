// Everything that a gateway accepts connections on. Opened by the supervisor, which may bind privileged ports, and kept
// while gateways come and go, so that connections wait in a queue instead of being refused.
#pragma once

#include <string>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/base/fd.h"
#include "agent/config/gateway_start.h"
#include "agent/redirect/hook.h"
#include "agent/redirect/listeners.h"
#include "flowengine/result.h"

namespace lunar {

class ListenerSet {
 public:
  explicit ListenerSet(uint32_t workers) : workers_(workers) {}

  // Takes out of `stored` what a predecessor listened on, as far as it fits.
  void adopt(std::vector<NamedFd>& stored);
  // The explicit entries and the admin side; the error names the address and, where it can be known, who holds it.
  [[nodiscard]] Result<> open_entries(const ListenerConfig& config);
  [[nodiscard]] Result<> open_internal_control(const std::string& path);
  // Where redirected connections arrive, on the ports that the workers had before, where those are free.
  [[nodiscard]] Result<> open_workers();
  // Shut first: another process may still hold them, and then they would go on listening.
  void shut_workers();
  [[nodiscard]] bool workers_open() const { return !worker_listeners_.empty(); }

  [[nodiscard]] std::vector<ListenerDescriptor> descriptors() const;
  [[nodiscard]] std::vector<int> fds() const;                 // in the order of descriptors()
  [[nodiscard]] std::vector<Endpoint> probe_targets() const;  // one of each worker
  [[nodiscard]] const std::vector<WorkerListener>& workers() const { return worker_listeners_; }
  [[nodiscard]] WorkerPorts ports(uint32_t worker) const { return ports_.at(worker); }
  [[nodiscard]] uint32_t pending() const;  // connections that wait to be accepted
  // For the fd store.
  [[nodiscard]] std::vector<Hook::BorrowedFd> stored() const;

 private:
  struct Entry {
    ListenerDescriptor descriptor;
    Fd fd;
  };
  [[nodiscard]] Result<> open_entry(ListenerRole role, const std::optional<Endpoint>& address, uint32_t count);
  [[nodiscard]] bool has(ListenerRole role, uint32_t worker, const Endpoint& address) const;

  uint32_t workers_;
  std::vector<Entry> entries_;
  std::vector<WorkerListener> worker_listeners_;
  std::vector<WorkerPorts> ports_ = std::vector<WorkerPorts>(workers_);
};

}  // namespace lunar
