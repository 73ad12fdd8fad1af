#include "agent/redirect/routes.h"

#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netlink/cache.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>

#include <algorithm>
#include <array>

#include "agent/base/fd.h"
#include "agent/base/log.h"

namespace lunar {

namespace {

template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Socket = std::unique_ptr<nl_sock, FreeWith<nl_socket_free>>;
using Cache = std::unique_ptr<nl_cache, FreeWith<nl_cache_free>>;

constexpr std::array groups{RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV4_ROUTE,
                            RTNLGRP_IPV6_ROUTE};
constexpr unsigned v4_shift = 96;
// VPNs like to write "everything" as two halves, which win over a default route without touching it.
constexpr unsigned half_of_everything = 1;

Result<Socket> connect_socket() {
  Socket socket(nl_socket_alloc());
  if (!socket) return fail("cannot allocate a netlink socket", ENOMEM);
  if (const int error = nl_connect(socket.get(), NETLINK_ROUTE); error < 0)
    return fail(std::string("cannot ask the kernel for routes: ") + nl_geterror(error));
  return socket;
}

std::optional<Prefix> prefix_of(const nl_addr* address) {
  if (address == nullptr) return std::nullopt;
  const auto* bytes = static_cast<const uint8_t*>(nl_addr_get_binary_addr(address));
  const unsigned length = nl_addr_get_prefixlen(address);
  Prefix out;
  switch (nl_addr_get_family(address)) {
    case AF_INET:
      out.address.bytes[10] = out.address.bytes[11] = 0xff;
      std::copy_n(bytes, std::min(nl_addr_get_len(address), 4U), out.address.bytes.begin() + 12);
      out.length = static_cast<uint8_t>(length + v4_shift);
      return out;
    case AF_INET6:
      std::copy_n(bytes, std::min(nl_addr_get_len(address), 16U), out.address.bytes.begin());
      out.length = static_cast<uint8_t>(length);
      return out;
    default:
      return std::nullopt;
  }
}

bool has_live_nexthop(rtnl_route* route) {
  for (int i = 0; i < rtnl_route_get_nnexthops(route); ++i)
    if ((rtnl_route_nh_get_flags(rtnl_route_nexthop_n(route, i)) & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) == 0) return true;
  return false;
}

bool has_gateway(rtnl_route* route) {
  return rtnl_route_get_nnexthops(route) > 0 && rtnl_route_nh_get_gateway(rtnl_route_nexthop_n(route, 0)) != nullptr;
}

// On-link is what the kernel derived from an address, or a router announced; a static route without gateway is
// somebody's tunnel.
bool is_connected(rtnl_route* route) {
  const int protocol = rtnl_route_get_protocol(route);
  return (protocol == RTPROT_KERNEL || protocol == RTPROT_RA) && !has_gateway(route);
}

void take_route(rtnl_route* route, RouteTable& table) {
  if (rtnl_route_get_type(route) != RTN_UNICAST || rtnl_route_get_table(route) == RT_TABLE_LOCAL) return;
  const nl_addr* destination = rtnl_route_get_dst(route);
  const bool v4 = rtnl_route_get_family(route) == AF_INET;
  const unsigned length = destination == nullptr ? 0 : nl_addr_get_prefixlen(destination);
  if (length <= half_of_everything) {
    if (has_live_nexthop(route)) (v4 ? table.default_v4 : table.default_v6) = true;
  } else if (is_connected(route)) {
    if (const auto prefix = prefix_of(destination)) table.connected.push_back(*prefix);
  }
}

// The kernel's own choice of a local address for what takes the default route. Connecting a datagram socket sends
// nothing; the documentation ranges (RFC 5737, RFC 9637) have no route of their own.
std::optional<IpAddress> source_towards(std::string_view anywhere) {
  const auto address = IpAddress::parse(anywhere);
  if (!address) return std::nullopt;
  sockaddr_storage to{};
  constexpr uint16_t any_port = 9;
  socklen_t length = Endpoint{*address, any_port}.to(to);
  const Fd socket(::socket(to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket || connect(socket.get(), reinterpret_cast<sockaddr*>(&to), length) != 0) return std::nullopt;
  length = sizeof to;
  if (getsockname(socket.get(), reinterpret_cast<sockaddr*>(&to), &length) != 0) return std::nullopt;
  return Endpoint::from(to).address;
}

template <class T>
void sort_unique(std::vector<T>& values) {
  std::ranges::sort(values);
  values.erase(std::ranges::unique(values).begin(), values.end());
}

Result<RouteTable> dump(nl_sock* socket) {
  nl_cache* addresses = nullptr;
  nl_cache* routes = nullptr;
  if (const int error = rtnl_addr_alloc_cache(socket, &addresses); error < 0)
    return fail(std::string("cannot list addresses: ") + nl_geterror(error));
  const Cache address_cache(addresses);
  if (const int error = rtnl_route_alloc_cache(socket, AF_UNSPEC, 0, &routes); error < 0)
    return fail(std::string("cannot list routes: ") + nl_geterror(error));
  const Cache route_cache(routes);
  RouteTable table;
  for (nl_object* object = nl_cache_get_first(addresses); object != nullptr; object = nl_cache_get_next(object)) {
    const auto prefix = prefix_of(rtnl_addr_get_local(reinterpret_cast<rtnl_addr*>(object)));
    if (prefix) table.own.push_back(prefix->address);
  }
  for (nl_object* object = nl_cache_get_first(routes); object != nullptr; object = nl_cache_get_next(object))
    take_route(reinterpret_cast<rtnl_route*>(object), table);
  if (table.default_v4) table.source_v4 = source_towards("192.0.2.1");
  if (table.default_v6) table.source_v6 = source_towards("3fff::1");
  sort_unique(table.own);
  sort_unique(table.connected);
  return table;
}

// A router's full table changes all the time: only what can change our answer is worth a dump.
int on_message(nl_msg* message, void* dirty) {
  const nlmsghdr* header = nlmsg_hdr(message);
  bool matters = true;
  if (header->nlmsg_type == RTM_NEWROUTE || header->nlmsg_type == RTM_DELROUTE) {
    const auto* route = static_cast<const rtmsg*>(nlmsg_data(header));
    matters = route->rtm_dst_len <= half_of_everything || route->rtm_protocol == RTPROT_KERNEL ||
              route->rtm_protocol == RTPROT_RA;
  }
  if (matters) *static_cast<bool*>(dirty) = true;
  return NL_OK;
}

}  // namespace

struct Routes::State {
  Socket dumps;
  Socket events;
  RouteTable table;
  bool dirty = false;
};

Routes::Routes(std::unique_ptr<State> state) : state_(std::move(state)) {}
Routes::~Routes() = default;

Result<std::unique_ptr<Routes>> Routes::open() {
  auto state = std::make_unique<State>();
  for (Socket* socket : {&state->dumps, &state->events}) {
    auto connected = connect_socket();
    if (!connected) return std::unexpected(connected.error());
    *socket = std::move(*connected);
  }
  nl_sock* events = state->events.get();
  nl_socket_disable_seq_check(events);
  nl_socket_modify_cb(events, NL_CB_VALID, NL_CB_CUSTOM, on_message, &state->dirty);
  // Subscribed before the first dump, so that no change falls between.
  for (const auto group : groups)
    if (const int error = nl_socket_add_membership(events, group); error < 0)
      return fail(std::string("cannot subscribe to route changes: ") + nl_geterror(error));
  nl_socket_set_nonblocking(events);
  auto table = dump(state->dumps.get());
  if (!table) return std::unexpected(table.error());
  state->table = std::move(*table);
  return std::unique_ptr<Routes>(new Routes(std::move(state)));
}

int Routes::fd() const { return nl_socket_get_fd(state_->events.get()); }

bool Routes::on_readable() {
  int error = 0;
  while ((error = nl_recvmsgs_default(state_->events.get())) >= 0) {
  }
  if (error != -NLE_AGAIN) state_->dirty = true;  // messages were lost: the dump makes good for them
  if (!state_->dirty) return false;
  auto table = dump(state_->dumps.get());
  if (!table) {
    log::warn("{}; the hook keeps the routes that it knows", table.error().text);
    return false;
  }
  state_->dirty = false;
  return std::exchange(state_->table, *table) != *table;
}

const RouteTable& Routes::table() const { return state_->table; }

}  // namespace lunar
