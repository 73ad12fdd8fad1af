#include "agent/gateway/policy.h"

namespace lunar::gateway {

DomainLists::Verdict judge(const Worker& worker, std::string_view host, const Endpoint& destination) {
  const DomainLists& lists = worker.domains();
  if (lists.empty()) return DomainLists::Verdict::pass;
  if (host.empty()) return lists.check(destination.address.text(), destination.port);
  return lists.check(host, destination.port);
}

std::string_view authority_of(std::string_view target) {
  const size_t scheme = target.starts_with('/') ? std::string_view::npos : target.find("://");
  if (scheme == std::string_view::npos) return {};
  std::string_view authority = target.substr(scheme + 3);
  authority = authority.substr(0, authority.find_first_of("/?#"));
  return authority.substr(authority.rfind('@') + 1);
}

std::string_view host_of(std::string_view host_and_port) {
  if (host_and_port.starts_with('[')) return host_and_port.substr(1, host_and_port.find(']') - 1);
  return host_and_port.substr(0, host_and_port.find(':'));
}

}  // namespace lunar::gateway
