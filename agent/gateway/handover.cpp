#include "agent/gateway/handover.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>

namespace lunar::gateway {

bool send_client(int handover_socket, int client, ListenerRole role) {
  auto tag = static_cast<char>(role);
  iovec bytes{&tag, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof(int));
  memcpy(CMSG_DATA(header), &client, sizeof client);
  return sendmsg(handover_socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) == 1;
}

std::optional<HandedOver> receive_client(int handover_socket, bool& closed) {
  char tag = 0;
  iovec bytes{&tag, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))]{};
  msghdr message{};
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  ssize_t got = recvmsg(handover_socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  closed = got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR);
  cmsghdr* header = got == 1 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS || header->cmsg_len < CMSG_LEN(sizeof(int)))
    return std::nullopt;
  int client = -1;
  memcpy(&client, CMSG_DATA(header), sizeof client);
  return HandedOver{Fd(client), static_cast<ListenerRole>(tag)};
}

}  // namespace lunar::gateway
