#include "agent/redirect/netns_listener.h"

#include <algorithm>

#include "agent/redirect/netns.h"

namespace lunar {

NetnsListeners::NetnsListeners(Hook& hook, uint32_t workers, Opened opened)
    : hook_(hook), workers_(workers), opened_(std::move(opened)) {
  const auto own = netns::of_pid(static_cast<uint32_t>(getpid()));
  if (const auto number = own ? netns::inode(own->get()) : Result<uint64_t>(0)) own_netns_ = *number;
}

NetnsListeners::~NetnsListeners() {
  for (const auto& [number, netns] : open_)
    for (const WorkerListener& listener : netns.listeners) shut_listener(listener.fd.get());
}

Result<std::vector<WorkerListener>> NetnsListeners::open_in(int netns_fd) const {
  const auto visit = netns::Visit::enter(netns_fd);
  if (!visit) return std::unexpected(visit.error());
  if (auto up = netns::bring_loopback_up(); !up) return std::unexpected(up.error());
  std::vector<WorkerListener> out;
  for (uint32_t worker = 0; worker < workers_; ++worker) {
    const WorkerPorts ports = hook_.worker_ports(worker);
    // The hook knows one port for all namespaces: one that the kernel chooses here would never be found.
    if (ports.v4 == 0) return fail("the workers' ports are not set yet");
    auto listeners = open_worker_listeners(worker, ports);
    if (!listeners) return listeners;
    for (WorkerListener& listener : *listeners) {
      if (auto tagged = hook_.tag_listener(listener.fd.get(), worker); !tagged) return std::unexpected(tagged.error());
      out.push_back(std::move(listener));
    }
  }
  return out;
}

Result<> NetnsListeners::hold(uint64_t holder, uint32_t pid) {
  const auto fd = netns::of_pid(pid);
  if (!fd) return std::unexpected(fd.error());
  const auto number = netns::inode(fd->get());
  if (!number) return std::unexpected(number.error());
  if (*number == own_netns_) return {};
  auto found = open_.find(*number);
  if (found == open_.end()) {
    auto listeners = open_in(fd->get());
    if (!listeners) return std::unexpected(listeners.error());
    found = open_.emplace(*number, Namespace{.listeners = std::move(*listeners), .holders = {}}).first;
    if (opened_) opened_(*number, found->second.listeners);
  }
  std::vector<uint64_t>& holders = found->second.holders;
  if (std::ranges::find(holders, holder) == holders.end()) holders.push_back(holder);
  return {};
}

void NetnsListeners::release(uint64_t holder) {
  for (auto it = open_.begin(); it != open_.end();) {
    std::erase(it->second.holders, holder);
    if (!it->second.holders.empty()) {
      ++it;
      continue;
    }
    for (const WorkerListener& listener : it->second.listeners) shut_listener(listener.fd.get());
    it = open_.erase(it);
  }
}

void NetnsListeners::each(const Opened& visit) const {
  for (const auto& [number, netns] : open_) visit(number, netns.listeners);
}

}  // namespace lunar
