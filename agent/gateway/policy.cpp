#include "agent/gateway/policy.h"

namespace lunar::gateway {

DomainLists::Verdict judge(const Worker& worker, std::string_view host, const Endpoint& destination) {
  const DomainLists& lists = worker.domains();
  if (lists.empty()) return DomainLists::Verdict::pass;
  if (host.empty()) return lists.check(destination.address.text(), destination.port);
  return lists.check(host, destination.port);
}

std::string_view host_of(std::string_view host_and_port) {
  if (host_and_port.starts_with('[')) return host_and_port.substr(1, host_and_port.find(']') - 1);
  return host_and_port.substr(0, host_and_port.find(':'));
}

}  // namespace lunar::gateway
