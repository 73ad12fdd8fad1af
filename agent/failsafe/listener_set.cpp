#include "agent/failsafe/listener_set.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "agent/base/log.h"
#include "agent/failsafe/places.h"
#include "agent/failsafe/port_holder.h"

namespace lunar {
namespace {

constexpr int kBacklog = 4096;
constexpr std::string_view kStorePrefix = "listener-";

Result<Fd> bound_socket(const Endpoint& address, bool shared) {
  sockaddr_storage storage{};
  const socklen_t length = address.to(storage);
  Fd fd(socket(storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail("cannot open a socket for " + address.text(), errno);
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (shared) setsockopt(fd.get(), SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
  if (bind(fd.get(), reinterpret_cast<sockaddr*>(&storage), length) == 0) return fd;
  const int error = errno;
  std::string text = fmt::format("cannot bind {}: {}", address.text(), strerror(error));
  const std::string holder = error == EADDRINUSE ? holder_of_port(address.port) : "";
  if (!holder.empty()) text += "; it is held by " + holder;
  return fail(std::move(text), error);
}

std::optional<Endpoint> address_of(int fd) {
  sockaddr_storage storage{};
  socklen_t length = sizeof storage;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &length) != 0) return std::nullopt;
  if (storage.ss_family != AF_INET && storage.ss_family != AF_INET6) return std::nullopt;
  return Endpoint::from(storage);
}

bool listens(int fd) {
  int on = 0;
  socklen_t length = sizeof on;
  return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &on, &length) == 0 && on != 0;
}

std::optional<ListenerRole> role_named(std::string_view name) {
  for (const ListenerRole role : {ListenerRole::worker, ListenerRole::proxy, ListenerRole::connect, ListenerRole::tls,
                                  ListenerRole::health, ListenerRole::admin, ListenerRole::metrics}) {
    if (listener_role_name(role) == name) return role;
  }
  return std::nullopt;
}

}  // namespace

// Names are listener-ROLE-WORKER; the address is the socket's own.
void ListenerSet::adopt(std::vector<NamedFd>& stored) {
  for (NamedFd& named : stored) {
    std::string_view name = named.name;
    if (!name.starts_with(kStorePrefix)) continue;
    name.remove_prefix(kStorePrefix.size());
    const size_t dash = name.rfind('-');
    const auto role = role_named(name.substr(0, dash));
    uint32_t worker = 0;
    if (dash != name.npos) std::from_chars(name.data() + dash + 1, name.data() + name.size(), worker);
    const auto address = address_of(named.fd.get());
    if (!role || !address || worker >= workers_ || !listens(named.fd.get())) continue;
    if (*role == ListenerRole::worker) {
      (address->address.is_v4() ? ports_[worker].v4 : ports_[worker].v6) = address->port;
      worker_listeners_.push_back({.fd = std::move(named.fd), .worker = worker, .address = *address});
    } else {
      entries_.push_back(
          {.descriptor = {.role = *role, .worker = worker, .address = address}, .fd = std::move(named.fd)});
    }
  }
  std::erase_if(stored, [](const NamedFd& named) { return named.name.starts_with(kStorePrefix); });
}

bool ListenerSet::has(ListenerRole role, uint32_t worker, const Endpoint& address) const {
  const ListenerDescriptor wanted{.role = role, .worker = worker, .address = address};
  return std::ranges::any_of(entries_, [&](const Entry& entry) { return entry.descriptor == wanted; });
}

Result<> ListenerSet::open_entries(const ListenerConfig& config) {
  const auto configured = [&config](const Entry& entry) {
    const std::optional<Endpoint>& address = entry.descriptor.address;
    return address == config.proxy || address == config.connect || address == config.health ||
           address == config.admin || address == config.metrics;
  };
  std::erase_if(entries_, [&](const Entry& entry) { return !configured(entry); });
  if (auto opened = open_entry(ListenerRole::proxy, config.proxy, workers_); !opened) return opened;
  if (auto opened = open_entry(ListenerRole::connect, config.connect, workers_); !opened) return opened;
  if (auto opened = open_entry(ListenerRole::health, config.health, 1); !opened) return opened;
  if (auto opened = open_entry(ListenerRole::admin, config.admin, 1); !opened) return opened;
  return open_entry(ListenerRole::metrics, config.metrics, 1);
}

Result<> ListenerSet::open_entry(ListenerRole role, const std::optional<Endpoint>& address, uint32_t count) {
  if (!address) return {};
  const bool adopted = has(role, 0, *address);
  // A socket that does not share the port shows whether somebody else has it.
  if (count > 1 && !adopted) {
    if (auto alone = bound_socket(*address, false); !alone) return std::unexpected(alone.error());
  }
  for (uint32_t worker = 0; worker < count; ++worker) {
    if (has(role, worker, *address)) continue;
    auto fd = bound_socket(*address, count > 1);
    if (!fd) return std::unexpected(fd.error());
    if (listen(fd->get(), kBacklog) != 0) return fail("cannot listen on " + address->text(), errno);
    entries_.push_back({.descriptor = {.role = role, .worker = worker, .address = *address}, .fd = std::move(*fd)});
  }
  return {};
}

Result<> ListenerSet::open_internal_control(const std::string& path) {
  auto fd = listen_for_owner(path);
  if (!fd) return fail(fmt::format("{}: {}", fd.error().text, strerror(fd.error().os_error)), fd.error().os_error);
  entries_.push_back(
      {.descriptor = {.role = ListenerRole::internal_control, .worker = 0, .address = {}}, .fd = std::move(*fd)});
  return {};
}

Result<> ListenerSet::open_workers() {
  for (uint32_t worker = 0; worker < workers_; ++worker) {
    if (std::ranges::any_of(worker_listeners_, [worker](const WorkerListener& l) { return l.worker == worker; }))
      continue;
    auto opened = open_worker_listeners(worker, ports_[worker]);
    if (!opened && opened.error().os_error == EADDRINUSE) opened = open_worker_listeners(worker, {});
    if (!opened)
      return fail(fmt::format("{}: {}", opened.error().text, strerror(opened.error().os_error)),
                  opened.error().os_error);
    ports_[worker] = ports_of(*opened);
    std::ranges::move(*opened, std::back_inserter(worker_listeners_));
  }
  return {};
}

void ListenerSet::shut_workers() {
  for (const WorkerListener& listener : worker_listeners_) shut_listener(listener.fd.get());
  worker_listeners_.clear();
}

std::vector<ListenerDescriptor> ListenerSet::descriptors() const {
  std::vector<ListenerDescriptor> all;
  for (const WorkerListener& listener : worker_listeners_)
    all.push_back({.role = ListenerRole::worker, .worker = listener.worker, .address = listener.address});
  for (const Entry& entry : entries_) all.push_back(entry.descriptor);
  return all;
}

std::vector<int> ListenerSet::fds() const {
  std::vector<int> all;
  for (const WorkerListener& listener : worker_listeners_) all.push_back(listener.fd.get());
  for (const Entry& entry : entries_) all.push_back(entry.fd.get());
  return all;
}

std::vector<Endpoint> ListenerSet::probe_targets() const {
  std::vector<Endpoint> targets;
  for (uint32_t worker = 0; worker < workers_; ++worker) {
    const auto first = std::ranges::find(worker_listeners_, worker, &WorkerListener::worker);
    if (first != worker_listeners_.end()) targets.push_back(first->address);
  }
  return targets;
}

uint32_t ListenerSet::pending() const {
  uint32_t sum = 0;
  for (const WorkerListener& listener : worker_listeners_) sum += pending_accepts(listener.fd.get());
  return sum;
}

std::vector<Hook::BorrowedFd> ListenerSet::stored() const {
  std::vector<Hook::BorrowedFd> all;
  const auto add = [&all](ListenerRole role, uint32_t worker, int fd) {
    all.push_back({fmt::format("{}{}-{}", kStorePrefix, listener_role_name(role), worker), fd});
  };
  for (const WorkerListener& listener : worker_listeners_)
    add(ListenerRole::worker, listener.worker, listener.fd.get());
  for (const Entry& entry : entries_) {
    if (entry.descriptor.role != ListenerRole::internal_control)
      add(entry.descriptor.role, entry.descriptor.worker, entry.fd.get());
  }
  return all;
}

}  // namespace lunar
