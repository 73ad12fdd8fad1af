#include "agent/redirect/socket_reset.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <sys/socket.h>

#include <charconv>
#include <filesystem>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/redirect/cgroup.h"
#include "agent/redirect/netns.h"

namespace lunar {

namespace {

namespace fs = std::filesystem;

using SocketInodes = std::set<uint32_t>;

constexpr uint32_t states = 1U << TCP_ESTABLISHED | 1U << TCP_SYN_SENT | 1U << TCP_CLOSE_WAIT | 1U << TCP_FIN_WAIT1 |
                            1U << TCP_FIN_WAIT2 | 1U << TCP_LISTEN;

struct FreeSocket {
  void operator()(nl_sock* socket) const { nl_socket_free(socket); }
};
using Socket = std::unique_ptr<nl_sock, FreeSocket>;

void add_sockets_of(uint32_t pid, SocketInodes& inodes) {
  std::error_code error;
  const fs::path directory = "/proc/" + std::to_string(pid) + "/fd";
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    const std::string target = fs::read_symlink(it->path(), error).string();  // "socket:[123]"
    error.clear();
    constexpr std::string_view prefix = "socket:[";
    uint32_t inode = 0;
    if (target.starts_with(prefix) &&
        std::from_chars(target.data() + prefix.size(), target.data() + target.size(), inode).ec == std::errc{})
      inodes.insert(inode);
  }
}

struct Connection {
  inet_diag_sockid id;
  uint8_t family;
  uint32_t inode;
  bool listening;
};

int collect(nl_msg* message, void* out) {
  const auto* answer = static_cast<const inet_diag_msg*>(nlmsg_data(nlmsg_hdr(message)));
  static_cast<std::vector<Connection>*>(out)->push_back({.id = answer->id,
                                                         .family = answer->idiag_family,
                                                         .inode = answer->idiag_inode,
                                                         .listening = answer->idiag_state == TCP_LISTEN});
  return NL_OK;
}

Result<std::vector<Connection>> list_connections(nl_sock* socket) {
  std::vector<Connection> out;
  nl_socket_modify_cb(socket, NL_CB_VALID, NL_CB_CUSTOM, collect, &out);
  for (const uint8_t family : {AF_INET, AF_INET6}) {
    inet_diag_req_v2 request{};
    request.sdiag_family = family;
    request.sdiag_protocol = IPPROTO_TCP;
    request.idiag_states = states;
    int error = nl_send_simple(socket, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &request, sizeof request);
    if (error >= 0) error = nl_recvmsgs_default(socket);
    if (error < 0) return fail(std::string("cannot list TCP connections: ") + nl_geterror(error));
  }
  return out;
}

bool is_loopback(const Connection& connection) {
  const auto* words = connection.id.idiag_dst;
  if (connection.family == AF_INET) return (ntohl(words[0]) >> 24U) == 127;
  if (words[0] != 0 || words[1] != 0) return false;
  if (words[2] == htonl(0xffff)) return (ntohl(words[3]) >> 24U) == 127;
  return words[2] == 0 && words[3] == htonl(1);
}

// True: reset; false: it was gone already.
Result<bool> destroy(nl_sock* socket, const Connection& connection) {
  inet_diag_req_v2 request{};
  request.sdiag_family = connection.family;
  request.sdiag_protocol = IPPROTO_TCP;
  request.idiag_states = states;
  request.id = connection.id;
  int error = nl_send_simple(socket, SOCK_DESTROY, NLM_F_ACK, &request, sizeof request);
  if (error >= 0) error = nl_wait_for_ack(socket);
  if (error >= 0) return true;
  if (error == -NLE_OBJ_NOTFOUND) return false;
  if (error == -NLE_OPNOTSUPP)
    return fail("this kernel cannot reset connections (CONFIG_INET_DIAG_DESTROY); restart the program instead",
                EOPNOTSUPP);
  return fail(std::string("cannot reset a connection: ") + nl_geterror(error));
}

Result<uint32_t> reset_here(const SocketInodes& inodes) {
  const Socket socket(nl_socket_alloc());
  if (!socket || nl_connect(socket.get(), NETLINK_SOCK_DIAG) < 0) return fail("sock_diag is not available", errno);
  const auto connections = list_connections(socket.get());
  if (!connections) return std::unexpected(connections.error());
  std::set<uint16_t> served;
  for (const Connection& connection : *connections)
    if (connection.listening) served.insert(connection.id.idiag_sport);
  uint32_t count = 0;
  for (const Connection& connection : *connections) {
    const bool opened_by_it = inodes.contains(connection.inode) && !served.contains(connection.id.idiag_sport);
    if (!opened_by_it || connection.listening || is_loopback(connection)) continue;
    const auto done = destroy(socket.get(), connection);
    if (!done) return std::unexpected(done.error());
    count += *done ? 1 : 0;
  }
  return count;
}

struct NamespaceSockets {
  Fd netns;
  SocketInodes inodes;
};

}  // namespace

Result<uint32_t> reset_connections(const std::string& cgroup_directory) {
  std::map<uint64_t, NamespaceSockets> by_namespace;
  for (const uint32_t pid : cgroup::pids_below(cgroup_directory)) {
    auto netns = netns::of_pid(pid);
    if (!netns) continue;  // the process ended
    const auto number = netns::inode(netns->get());
    if (!number) return std::unexpected(number.error());
    NamespaceSockets& sockets = by_namespace[*number];
    if (!sockets.netns) sockets.netns = std::move(*netns);
    add_sockets_of(pid, sockets.inodes);
  }
  uint32_t total = 0;
  for (const auto& [number, sockets] : by_namespace) {
    const auto visit = netns::Visit::enter(sockets.netns.get());
    if (!visit) return std::unexpected(visit.error());
    const auto count = reset_here(sockets.inodes);
    if (!count) return count;
    total += *count;
  }
  return total;
}

}  // namespace lunar
