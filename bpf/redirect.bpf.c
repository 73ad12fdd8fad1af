/* Entry points of the kernel part. What they do stands in connect_hook.h (decide, remember, rewrite) and
 * origdst_hook.h (carry the original destination over). */
#include <linux/bpf.h>
#include <linux/in.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/connect_hook.h"
#include "bpf/origdst_hook.h"

/* Reading kernel structs by type needs a GPL-compatible licence. */
char licence_text[] SEC("license") = "Dual BSD/GPL";

SEC("cgroup/connect4")
int connect4(struct bpf_sock_addr* ctx) { return on_connect4(ctx); }

SEC("cgroup/connect6")
int connect6(struct bpf_sock_addr* ctx) { return on_connect6(ctx); }

SEC("cgroup/getpeername4")
int getpeername4(struct bpf_sock_addr* ctx) {
  on_getpeername4(ctx);
  return 1;
}

SEC("cgroup/getpeername6")
int getpeername6(struct bpf_sock_addr* ctx) {
  on_getpeername6(ctx);
  return 1;
}

SEC("cgroup/getsockname4")
int getsockname4(struct bpf_sock_addr* ctx) {
  on_getsockname4(ctx);
  return 1;
}

SEC("cgroup/getsockname6")
int getsockname6(struct bpf_sock_addr* ctx) {
  on_getsockname6(ctx);
  return 1;
}

SEC("sockops")
int socket_events(struct bpf_sock_ops* ctx) {
  on_socket_event(ctx);
  return 1;
}

SEC("cgroup/sendmsg4")
int sendmsg4(struct bpf_sock_addr* ctx) { return on_sendmsg4(ctx); }

SEC("cgroup/sendmsg6")
int sendmsg6(struct bpf_sock_addr* ctx) { return on_sendmsg6(ctx); }
