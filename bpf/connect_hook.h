/* connect(): the answers to the questions of redirect_policy.h, and the rewrite. */
#ifndef LUNAR_CONNECT_HOOK_H
#define LUNAR_CONNECT_HOOK_H

#include "bpf/lunar_maps.h"

#define LUNAR_INLINE static __always_inline
#define LUNAR_SEPARATE __attribute__((noinline))
#include "bpf/redirect_policy.h"

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define SOCK_DGRAM 2
#define WORD_V4_MAPPED bpf_htonl(0xffff)

/* The few fields of kernel structs that are read; their offsets are taken from the running kernel (CO-RE). */
#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)
struct sock {
  __u32 sk_ack_backlog;
  __u32 sk_max_ack_backlog;
};
struct inet_sock {
  struct sock sk;
};
struct inet_connection_sock {
  struct inet_sock icsk_inet;
};
struct tcp_sock {
  struct inet_connection_sock inet_conn;
};
struct task_struct {
  struct task_struct* group_leader;
  __u64 start_boottime;
};
#pragma clang attribute pop

static __always_inline struct bpf_sock* socket_of(struct lunar_request* rq) {
  return ((struct bpf_sock_addr*)rq->ctx)->sk;
}

LUNAR_INLINE __u32 ask_own_socket(struct lunar_request* rq) {
  struct bpf_sock* sk = socket_of(rq);
  return sk && bpf_sk_storage_get(&own_sockets, sk, 0, 0) != 0;
}

/* From the root down to the task's own cgroup, only at the depths where policies exist: the last one found is the
 * nearest. Upwards would stop earlier, but only for what is captured; this is through sooner for all others. */
LUNAR_INLINE __u32 ask_verdict(struct lunar_request* rq, const struct lunar_settings* set) {
  __u32 levels = set->levels;
  __u32 verdict = 0;
  for (int level = 0; level < LUNAR_MAX_LEVELS && levels; level++, levels >>= 1) {
    struct lunar_policy* policy;
    __u64 id;
    if (!(levels & 1)) continue;
    id = bpf_get_current_ancestor_cgroup_id(level);
    if (!id) break;
    policy = bpf_map_lookup_elem(&policies, &id);
    if (policy) verdict = policy->verdict;
  }
  return verdict;
}

static __always_inline struct lunar_range range_in(void* trie4, void* trie6, struct lunar_request* rq) {
  struct lunar_range none = {0, 0};
  struct lunar_range* found;
  if (rq->v4) {
    struct lunar_prefix4 key = {.length = 32};
    __builtin_memcpy(key.addr, &rq->addr[3], sizeof key.addr);
    found = bpf_map_lookup_elem(trie4, &key);
  } else {
    struct lunar_prefix6 key = {.length = 128};
    __builtin_memcpy(key.addr, rq->addr, sizeof key.addr);
    found = bpf_map_lookup_elem(trie6, &key);
  }
  return found ? *found : none;
}

LUNAR_INLINE struct lunar_range ask_bypass(struct lunar_request* rq) { return range_in(&bypass4, &bypass6, rq); }
LUNAR_INLINE struct lunar_range ask_allowed(struct lunar_request* rq) { return range_in(&allow4, &allow6, rq); }

LUNAR_INLINE __u32 ask_breaker(struct lunar_request* rq) {
  __u32 key = 0;
  struct lunar_breaker* tripped = bpf_map_lookup_elem(&breaker, &key);
  return tripped && tripped->until_ns && bpf_ktime_get_ns() < tripped->until_ns;
}

LUNAR_INLINE __u32 ask_unreachable(struct lunar_request* rq) {
  struct lunar_destination key = {.port = rq->port};
  __u64* until;
  __builtin_memcpy(key.addr, rq->addr, sizeof key.addr);
  until = bpf_map_lookup_elem(&unreachable, &key);
  return until && bpf_ktime_get_ns() < *until;
}

LUNAR_INLINE __u64 ask_live_workers(struct lunar_request* rq, const struct lunar_settings* set, __u64* idle) {
  __u64 now = bpf_ktime_get_ns();
  __u64 live = 0;
  rq->random = bpf_get_prandom_u32();
  for (__u32 w = 0; w < LUNAR_MAX_WORKERS; w++) {
    struct lunar_heartbeat* slot;
    __u32 key = w, judged;
    if (w >= set->workers) break;
    slot = bpf_map_lookup_elem(&heartbeats, &key);
    if (!slot) break;
    judged = lunar_judge_beat(slot->beat_ns, slot->busy, now, set->deadline_ns);
    live |= (__u64)(judged & LUNAR_LIVE) << w;
    *idle |= (__u64)((judged & LUNAR_IDLE) >> 1) << w;
  }
  return live;
}

static __always_inline enum lunar_reason judge_listener(struct lunar_request* rq, const struct lunar_settings* set,
                                                        struct bpf_sock* sk) {
  struct lunar_accepted* tag = bpf_sk_storage_get(&accepted, sk, 0, 0);
  struct tcp_sock* tcp;
  __u32 room = rq->v4 ? set->max_pending : set->max_pending * LUNAR_ADDRESSES_PER_WORKER;
  if (!tag) return LUNAR_FOREIGN_LISTENER;
  rq->listener = tag->listener;
  tcp = (struct tcp_sock*)bpf_skc_to_tcp_sock(sk);
  if (!tcp) return LUNAR_FOREIGN_LISTENER;
  if (tcp->inet_conn.icsk_inet.sk.sk_ack_backlog >= room) return LUNAR_BACKLOG;
  if (tcp->inet_conn.icsk_inet.sk.sk_ack_backlog >= tcp->inet_conn.icsk_inet.sk.sk_max_ack_backlog)
    return LUNAR_BACKLOG;
  return LUNAR_REDIRECTED;
}

static __always_inline __be32 worker_address(struct lunar_request* rq) {
  return bpf_htonl(0x7f4d0000 | rq->worker << 8 | rq->address);
}

/* In the client's own network namespace: one without our listener goes direct by itself. */
LUNAR_INLINE enum lunar_reason ask_listener(struct lunar_request* rq, const struct lunar_settings* set) {
  struct bpf_sock_tuple tuple = {};
  enum lunar_reason reason;
  struct bpf_sock* sk;
  if (rq->v4) {
    tuple.ipv4.daddr = worker_address(rq);
    tuple.ipv4.dport = bpf_htons(rq->worker_port);
    sk = bpf_sk_lookup_tcp(rq->ctx, &tuple, sizeof tuple.ipv4, BPF_F_CURRENT_NETNS, 0);
  } else {
    tuple.ipv6.daddr[3] = bpf_htonl(1);
    tuple.ipv6.dport = bpf_htons(rq->worker_port);
    sk = bpf_sk_lookup_tcp(rq->ctx, &tuple, sizeof tuple.ipv6, BPF_F_CURRENT_NETNS, 0);
  }
  if (!sk) return LUNAR_NO_LISTENER;
  reason = judge_listener(rq, set, sk);
  bpf_sk_release(sk);
  return reason;
}

/* As lunard counts processes: in its own pid namespace. 0: a process of another one, also of one below it. */
static __always_inline __u32 current_pid(void) {
  struct bpf_pidns_info seen = {};
  if (!pid_namespace_inode) return bpf_get_current_pid_tgid() >> 32;
  if (!have_namespace_pid) return 0;
  if (bpf_get_ns_current_pid_tgid(pid_namespace_device, pid_namespace_inode, &seen, sizeof seen) != 0) return 0;
  return seen.tgid;
}

/* Typed pointers are read in place; bpf_probe_read_kernel() would cost 190 ns for the same two words. */
static __always_inline __u64 process_start(void) {
  struct task_struct* task;
  if (!have_task) return 0;
  task = (struct task_struct*)bpf_get_current_task_btf();
  return task->group_leader->start_boottime;
}

/* Reads as in COPY_END of origdst_hook.h, for the same reason. */
static __always_inline void note_source(struct lunar_origin* origin, struct bpf_sock* sk, __u32 v4) {
  const volatile struct bpf_sock* from = sk;
  __u32* words = (__u32*)origin->source;
  __u32 ip4 = from->src_ip4;
  __u32 ip6[4] = {from->src_ip6[0], from->src_ip6[1], from->src_ip6[2], from->src_ip6[3]};
  words[0] = v4 ? 0 : ip6[0];
  words[1] = v4 ? 0 : ip6[1];
  words[2] = v4 ? (ip4 ? WORD_V4_MAPPED : 0) : ip6[2];
  words[3] = v4 ? ip4 : ip6[3];
}

/* What the application holds is the MPTCP socket; what connects, and is seen by the other hooks, is its subflow. */
static __always_inline void remember_for_mptcp(struct bpf_sock* sk, const struct lunar_origin* origin) {
  struct lunar_origin* copy;
  void* mptcp;
  if (!have_mptcp) return;
  mptcp = bpf_skc_to_mptcp_sock(sk);
  if (!mptcp) return;
  copy = bpf_sk_storage_get(&clients, mptcp, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (copy) *copy = *origin;
}

/* Looks before it deletes: a look costs no atomic operation, and nearly always there is nothing. */
static __always_inline void forget(struct bpf_sock* sk) {
  void* mptcp;
  if (!bpf_sk_storage_get(&clients, sk, 0, 0)) return;
  bpf_sk_storage_delete(&clients, sk);
  if (!have_mptcp) return;
  mptcp = bpf_skc_to_mptcp_sock(sk);
  if (mptcp) bpf_sk_storage_delete(&clients, mptcp);
}

LUNAR_INLINE __u32 remember(struct lunar_request* rq) {
  struct bpf_sock* sk = socket_of(rq);
  struct lunar_origin* origin;
  if (!sk) return 0;
  origin = bpf_sk_storage_get(&clients, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
  if (!origin) return 0;
  __builtin_memcpy(origin->addr, rq->addr, sizeof origin->addr);
  origin->port = rq->port;
  origin->listener = rq->listener;
  origin->listener_port = rq->worker_port;
  origin->pid = current_pid();
  origin->uid = (__u32)bpf_get_current_uid_gid();
  origin->mark = sk->mark;
  origin->cgroup_id = bpf_get_current_cgroup_id();
  origin->netns_cookie = bpf_get_netns_cookie(rq->ctx);
  origin->start_ns = process_start();
  bpf_get_current_comm(origin->comm, sizeof origin->comm);
  note_source(origin, sk, rq->v4);
  remember_for_mptcp(sk, origin);
  return 1;
}

static __always_inline const struct lunar_settings* current_settings(void) {
  __u32 key = 0;
  return bpf_map_lookup_elem(&settings, &key);
}

/* 1: the request is to be rewritten. */
static __always_inline int redirects(struct lunar_request* rq) {
  const struct lunar_settings* set = current_settings();
  struct bpf_sock* sk = socket_of(rq);
  enum lunar_reason reason;
  if (!set || !sk || !rq->tcp) return 0;
  forget(sk);
  rq->device = sk->bound_dev_if;
  reason = lunar_decide(rq, set);
  count(reason);
  return reason == LUNAR_REDIRECTED;
}

static __always_inline int refuses_quic(struct lunar_request* rq) {
  const struct lunar_settings* set = current_settings();
  struct bpf_sock* sk = socket_of(rq);
  if (!set || !sk) return 0;
  rq->device = sk->bound_dev_if;
  if (!lunar_refuses_quic(rq, set)) return 0;
  count(LUNAR_QUIC_REFUSED);
  return 1;
}

static __always_inline __u32 is_tcp(struct bpf_sock_addr* ctx) {
  return ctx->type == SOCK_STREAM && ctx->protocol == IPPROTO_TCP;
}

static __always_inline void request_from4(struct lunar_request* rq, struct bpf_sock_addr* ctx) {
  rq->ctx = ctx;
  rq->addr[2] = WORD_V4_MAPPED;
  rq->addr[3] = ctx->user_ip4;
  rq->port = bpf_ntohs((__u16)ctx->user_port);
  rq->v4 = 1;
  rq->tcp = is_tcp(ctx);
}

static __always_inline void request_from6(struct lunar_request* rq, struct bpf_sock_addr* ctx) {
  rq->ctx = ctx;
  rq->addr[0] = ctx->user_ip6[0];
  rq->addr[1] = ctx->user_ip6[1];
  rq->addr[2] = ctx->user_ip6[2];
  rq->addr[3] = ctx->user_ip6[3];
  rq->port = bpf_ntohs((__u16)ctx->user_port);
  rq->v4 = !rq->addr[0] && !rq->addr[1] && rq->addr[2] == WORD_V4_MAPPED;
  rq->tcp = is_tcp(ctx);
}

/* Return value of the programs: 1 lets the system call go on, 0 fails it with EPERM. clang may return any register that
 * it knows to hold the value; the verifier wants to see the bound. */
static __always_inline int proceed(int allowed) {
  barrier_var(allowed);
  return allowed & 1;
}

static __always_inline int on_connect4(struct bpf_sock_addr* ctx) {
  struct lunar_request rq = {};
  request_from4(&rq, ctx);
  if (ctx->type == SOCK_DGRAM) return proceed(!refuses_quic(&rq));
  if (!redirects(&rq)) return proceed(1);
  ctx->user_ip4 = worker_address(&rq);
  ctx->user_port = bpf_htons((__u16)rq.worker_port);
  return proceed(1);
}

/* A v4-mapped destination stays mapped: a socket that is native IPv6 cannot reach a mapped address, nor the reverse. */
static __always_inline int on_connect6(struct bpf_sock_addr* ctx) {
  struct lunar_request rq = {};
  request_from6(&rq, ctx);
  if (ctx->type == SOCK_DGRAM) return proceed(!refuses_quic(&rq));
  if (!redirects(&rq)) return proceed(1);
  if (rq.v4) {
    ctx->user_ip6[3] = worker_address(&rq);
  } else {
    ctx->user_ip6[0] = 0;
    ctx->user_ip6[1] = 0;
    ctx->user_ip6[2] = 0;
    ctx->user_ip6[3] = bpf_htonl(1);
  }
  ctx->user_port = bpf_htons((__u16)rq.worker_port);
  return proceed(1);
}

static __always_inline int on_sendmsg4(struct bpf_sock_addr* ctx) {
  struct lunar_request rq = {};
  request_from4(&rq, ctx);
  return proceed(!refuses_quic(&rq));
}

static __always_inline int on_sendmsg6(struct bpf_sock_addr* ctx) {
  struct lunar_request rq = {};
  request_from6(&rq, ctx);
  return proceed(!refuses_quic(&rq));
}

#endif
