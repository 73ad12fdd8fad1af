/* The original destination's way from the client's socket to the accepted one, and back into getpeername()
 * and getsockname().
 *
 * client storage --(TCP_CONNECT_CB, before the SYN)--> flows --(PASSIVE_ESTABLISHED, before accept)--> accepted storage
 *
 * Not at ACTIVE_ESTABLISHED, which comes too late, and not deleted at close, which may come before the accept. */
#ifndef LUNAR_ORIGDST_HOOK_H
#define LUNAR_ORIGDST_HOOK_H

#include "bpf/connect_hook.h"

static __always_inline __u32 is_mapped(const __u8* addr) {
  const __u32* words = (const __u32*)addr;
  return !words[0] && !words[1] && words[2] == WORD_V4_MAPPED;
}

/* One end of a connection as the key of `flows`. Volatile, and every word read whatever the family, to keep clang from
 * joining two reads of the context into one through a computed pointer, which the verifier refuses. */
#define COPY_END(key, ctx, ip4, ip6, is_v4)                                 \
  do {                                                                      \
    __u32* words = (__u32*)(key).addr;                                      \
    const volatile struct bpf_sock_ops* from = (ctx);                       \
    __u32 v4 = from->ip4;                                                   \
    __u32 v6[4] = {from->ip6[0], from->ip6[1], from->ip6[2], from->ip6[3]}; \
    __u32 mapped = (is_v4);                                                 \
    words[0] = mapped ? 0 : v6[0];                                          \
    words[1] = mapped ? 0 : v6[1];                                          \
    words[2] = mapped ? WORD_V4_MAPPED : v6[2];                             \
    words[3] = mapped ? v4 : v6[3];                                         \
  } while (0)

static __always_inline void on_tcp_connect(struct bpf_sock_ops* ctx) {
  struct bpf_sock* sk = ctx->sk;
  struct lunar_flow key = {};
  struct lunar_origin* origin;
  if (!sk) return;
  origin = bpf_sk_storage_get(&clients, sk, 0, 0);
  if (!origin) return;
  key.listener = origin->listener;
  key.port = ctx->local_port;
  COPY_END(key, ctx, local_ip4, local_ip6, is_mapped(origin->addr));
  bpf_map_update_elem(&flows, &key, origin, BPF_ANY);
  bpf_sock_ops_cb_flags_set(ctx, ctx->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_RTO_CB_FLAG);
}

static __always_inline void on_passive_established(struct bpf_sock_ops* ctx) {
  struct bpf_sock* sk = ctx->sk;
  struct lunar_flow key = {};
  struct lunar_accepted* mine;
  struct lunar_origin* origin;
  if (!sk) return;
  mine = bpf_sk_storage_get(&accepted, sk, 0, 0);
  if (!mine) return;
  key.listener = mine->listener;
  key.port = bpf_ntohl(ctx->remote_port);
  COPY_END(key, ctx, remote_ip4, remote_ip6, ctx->family == AF_INET);
  origin = bpf_map_lookup_elem(&flows, &key);
  if (!origin) {
    count(LUNAR_NO_FLOW);
    return;
  }
  mine->origin = *origin;
  mine->known = 1;
  bpf_map_delete_elem(&flows, &key);
}

/* On loopback a SYN is lost only when the listener cannot take it, or a filter eats it: new connects go direct. */
static __always_inline void on_retransmission(struct bpf_sock_ops* ctx) {
  const struct lunar_settings* set = current_settings();
  struct bpf_sock* sk = ctx->sk;
  struct lunar_breaker* tripped;
  __u32 key = 0;
  if (ctx->state != BPF_TCP_SYN_SENT || !set || !sk) return;
  if (!bpf_sk_storage_get(&clients, sk, 0, 0)) return;
  count(LUNAR_SYN_LOST);
  tripped = bpf_map_lookup_elem(&breaker, &key);
  if (tripped) tripped->until_ns = bpf_ktime_get_ns() + set->breaker_ns;
}

static __always_inline void on_timeout_init(struct bpf_sock_ops* ctx) {
  struct bpf_sock* sk = ctx->sk;
  if (!syn_timeout_jiffies || !sk) return;
  if (bpf_sk_storage_get(&clients, sk, 0, 0)) ctx->reply = syn_timeout_jiffies;
}

static __always_inline void on_socket_event(struct bpf_sock_ops* ctx) {
  switch (ctx->op) {
    case BPF_SOCK_OPS_TIMEOUT_INIT:
      on_timeout_init(ctx);
      break;
    case BPF_SOCK_OPS_TCP_CONNECT_CB:
      on_tcp_connect(ctx);
      break;
    case BPF_SOCK_OPS_PASSIVE_ESTABLISHED_CB:
      on_passive_established(ctx);
      break;
    case BPF_SOCK_OPS_RTO_CB:
      on_retransmission(ctx);
      break;
  }
}

/* On loopback a redirected socket has a loopback address of its own, which is of no use to who announces it to its peer
 * (FTP, SIP): it is told the one that it would have had on the way out. Only where we know that way. */
static __always_inline const struct lunar_settings* knows_source(struct bpf_sock_addr* ctx) {
  const struct lunar_settings* set = current_settings();
  struct bpf_sock* sk = ctx->sk;
  struct lunar_origin* origin;
  if (!set || !sk) return 0;
  origin = bpf_sk_storage_get(&clients, sk, 0, 0);
  return origin && origin->netns_cookie == set->netns_cookie ? set : 0;
}

static __always_inline void on_getsockname4(struct bpf_sock_addr* ctx) {
  const struct lunar_settings* set = knows_source(ctx);
  __u32 source;
  if (!set || ctx->user_ip4 != bpf_htonl(INADDR_LOOPBACK)) return;
  source = ((const __u32*)set->source4)[3];
  if (source) ctx->user_ip4 = source;
}

static __always_inline void on_getsockname6(struct bpf_sock_addr* ctx) {
  const struct lunar_settings* set = knows_source(ctx);
  const __u32* source;
  if (!set || ctx->user_ip6[0] || ctx->user_ip6[1]) return;
  if (ctx->user_ip6[2] == WORD_V4_MAPPED && ctx->user_ip6[3] == bpf_htonl(INADDR_LOOPBACK)) {
    source = (const __u32*)set->source4;
  } else if (!ctx->user_ip6[2] && ctx->user_ip6[3] == bpf_htonl(1)) {
    source = (const __u32*)set->source6;
  } else {
    return;
  }
  if (!source[3] && !source[0]) return;
  ctx->user_ip6[0] = source[0];
  ctx->user_ip6[1] = source[1];
  ctx->user_ip6[2] = source[2];
  ctx->user_ip6[3] = source[3];
}

/* The storage counts only while the socket's peer is still the listener that it was sent to. */
static __always_inline struct lunar_origin* redirected_peer(struct bpf_sock_addr* ctx) {
  struct bpf_sock* sk = ctx->sk;
  struct lunar_origin* origin;
  if (!sk) return 0;
  origin = bpf_sk_storage_get(&clients, sk, 0, 0);
  if (!origin || bpf_ntohs((__u16)ctx->user_port) != origin->listener_port) return 0;
  return origin;
}

static __always_inline void on_getpeername4(struct bpf_sock_addr* ctx) {
  struct lunar_origin* origin = redirected_peer(ctx);
  if (!origin) return;
  ctx->user_ip4 = ((__u32*)origin->addr)[3];
  ctx->user_port = bpf_htons(origin->port);
}

static __always_inline void on_getpeername6(struct bpf_sock_addr* ctx) {
  struct lunar_origin* origin = redirected_peer(ctx);
  if (!origin) return;
  ctx->user_ip6[0] = ((__u32*)origin->addr)[0];
  ctx->user_ip6[1] = ((__u32*)origin->addr)[1];
  ctx->user_ip6[2] = ((__u32*)origin->addr)[2];
  ctx->user_ip6[3] = ((__u32*)origin->addr)[3];
  ctx->user_port = bpf_htons(origin->port);
}

#endif
