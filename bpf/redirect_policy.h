/* The decision: redirect this connect, and to which worker, or leave it alone and why. One function, compiled for the
 * kernel by redirect.bpf.c and for user space by its table test.
 *
 * Whoever includes this defines the questions below (ask_…). They are asked in the order of lunar_decide() and only
 * when the answer matters, because each costs: everything that is not captured must be through after the cheap ones. */
#ifndef LUNAR_REDIRECT_POLICY_H
#define LUNAR_REDIRECT_POLICY_H

#include "bpf/lunar_abi.h"

#ifndef LUNAR_INLINE
#define LUNAR_INLINE static inline
#endif
/* Verified on its own by the kernel, so that what it returns is any number to its caller. Without this, the verifier
 * would follow the rest of the program once for every set of workers: 2^64 times. */
#ifndef LUNAR_SEPARATE
#define LUNAR_SEPARATE static inline
#endif

#define LUNAR_LISTENER_TRIES 2

struct lunar_request {
  void* ctx;         /* of the program; the questions' own business */
  __u32 addr[4];     /* destination, network order, IPv4 in v4-mapped form */
  __u32 port;        /* host order */
  __u32 v4;          /* destination is IPv4, by connect4 or v4-mapped */
  __u32 tcp;         /* a TCP (or MPTCP) stream socket */
  __u32 device;      /* SO_BINDTODEVICE */
  __u32 random;      /* any number: balances */
  __u32 worker;      /* out: where to send it */
  __u32 address;     /* out: 1 … LUNAR_ADDRESSES_PER_WORKER, last byte of 127.77.w.k */
  __u32 worker_port; /* out: host order */
  __u64 listener;    /* out: lunar_accepted.listener */
};

/* What the questions return where it is not plain yes (1) or no (0). */
LUNAR_INLINE __u32 ask_own_socket(struct lunar_request* rq);
LUNAR_INLINE __u32 ask_verdict(struct lunar_request* rq, const struct lunar_settings* set); /* lunar_verdict or 0 */
LUNAR_INLINE struct lunar_range ask_bypass(struct lunar_request* rq);                       /* kind 0: none */
LUNAR_INLINE struct lunar_range ask_allowed(struct lunar_request* rq);                      /* kind 0: none */
LUNAR_INLINE __u32 ask_breaker(struct lunar_request* rq);
LUNAR_INLINE __u32 ask_unreachable(struct lunar_request* rq);
/* Sets, bit w for worker w, by lunar_judge_beat(); also sets rq->random. */
LUNAR_INLINE __u64 ask_live_workers(struct lunar_request* rq, const struct lunar_settings* set, __u64* idle);
/* Is there a listener of ours for rq->worker, rq->address, with room? LUNAR_REDIRECTED: yes, rq->listener is set. */
LUNAR_INLINE enum lunar_reason ask_listener(struct lunar_request* rq, const struct lunar_settings* set);
LUNAR_INLINE __u32 remember(struct lunar_request* rq); /* creates the socket's storage; 0: no memory */

#define LUNAR_LIVE 1u
#define LUNAR_IDLE 2u

/* LUNAR_LIVE: the beat is not older than the deadline. The age is signed: another CPU may have beaten after this one
 * read the clock. LUNAR_IDLE: lives, and does not say that it is busy. */
LUNAR_SEPARATE __u32 lunar_judge_beat(__u64 beat_ns, __u32 busy, __u64 now_ns, __u64 deadline_ns) {
  if (!beat_ns || (__s64)(now_ns - beat_ns) > (__s64)deadline_ns) return 0;
  return busy ? LUNAR_LIVE : LUNAR_LIVE | LUNAR_IDLE;
}

/* The n-th worker of a set, modulo its size; LUNAR_MAX_WORKERS when the set is empty. */
LUNAR_SEPARATE __u32 lunar_pick_worker(__u64 set, __u32 n) {
  __u32 size = 0;
  for (__u32 w = 0; w < LUNAR_MAX_WORKERS && set >> w; w++) size += (set >> w) & 1;
  if (size == 0) return LUNAR_MAX_WORKERS;
  n %= size;
  for (__u32 w = 0; w < LUNAR_MAX_WORKERS; w++) {
    if (!((set >> w) & 1)) continue;
    if (n == 0) return w;
    n--;
  }
  return LUNAR_MAX_WORKERS;
}

/* May the destination be captured? An allow prefix lifts what is private or on-link; what is local only when it is
 * named at least as exactly. Without an allow prefix the host needs a default route: else it is the client who must
 * see "network unreachable", at once, or its Happy Eyeballs takes the wrong family. */
LUNAR_INLINE enum lunar_reason lunar_judge_address(struct lunar_request* rq, const struct lunar_settings* set) {
  struct lunar_range bypass = ask_bypass(rq);
  struct lunar_range allowed = {0, 0};
  if (bypass.kind == LUNAR_RANGE_NEVER) return LUNAR_BYPASS_ADDRESS;
  if (bypass.kind == LUNAR_RANGE_LOCAL && (set->flags & LUNAR_INCLUDE_LOOPBACK)) return LUNAR_REDIRECTED;
  if (set->flags & LUNAR_HAS_ALLOW) allowed = ask_allowed(rq);
  if (allowed.kind && (bypass.kind != LUNAR_RANGE_LOCAL || allowed.length >= bypass.length)) return LUNAR_REDIRECTED;
  if (bypass.kind) return LUNAR_BYPASS_ADDRESS;
  if (!(set->flags & (rq->v4 ? LUNAR_ROUTE_V4 : LUNAR_ROUTE_V6))) return LUNAR_NO_DEFAULT_ROUTE;
  return LUNAR_REDIRECTED;
}

/* A worker that lives, has time, and whose listener in the client's network namespace has room. */
LUNAR_INLINE enum lunar_reason lunar_choose_worker(struct lunar_request* rq, const struct lunar_settings* set) {
  enum lunar_reason reason = LUNAR_NO_PORT;
  __u64 idle = 0;
  __u64 live = ask_live_workers(rq, set, &idle);
  if (!live) return LUNAR_STALE_HEARTBEAT;
  if (!idle) return LUNAR_ALL_BUSY;
  rq->address = 1 + (rq->random >> 16) % LUNAR_ADDRESSES_PER_WORKER;
  for (int i = 0; i < LUNAR_LISTENER_TRIES; i++) {
    __u32 worker = lunar_pick_worker(idle, rq->random);
    if (worker >= LUNAR_MAX_WORKERS) break;
    idle &= ~(1ULL << worker);
    rq->worker = worker;
    rq->worker_port = rq->v4 ? set->port4[worker] : set->port6[worker];
    reason = rq->worker_port ? ask_listener(rq, set) : LUNAR_NO_PORT;
    if (reason == LUNAR_REDIRECTED) break;
  }
  return reason;
}

LUNAR_INLINE enum lunar_reason lunar_decide(struct lunar_request* rq, const struct lunar_settings* set) {
  enum lunar_reason reason;
  __u32 verdict;
  if (!rq->tcp) return LUNAR_NOT_TCP;
  if (!set->armed) return LUNAR_DISARMED;
  if (!set->workers || !rq->port) return LUNAR_NO_PORT;
  if (rq->device) return LUNAR_DEVICE_BOUND;
  if (ask_own_socket(rq)) return LUNAR_OWN_SOCKET;
  verdict = ask_verdict(rq, set);
  if (!verdict) return LUNAR_NOT_CAPTURED;
  if (verdict != LUNAR_CAPTURE) return LUNAR_POLICY_BYPASS;
  reason = lunar_judge_address(rq, set);
  if (reason != LUNAR_REDIRECTED) return reason;
  if (ask_breaker(rq)) return LUNAR_BREAKER;
  if (ask_unreachable(rq)) return LUNAR_UNREACHABLE;
  reason = lunar_choose_worker(rq, set);
  if (reason != LUNAR_REDIRECTED) return reason;
  return remember(rq) ? LUNAR_REDIRECTED : LUNAR_NO_MEMORY;
}

/* UDP 443 of what would be captured if it were TCP. */
LUNAR_INLINE __u32 lunar_refuses_quic(struct lunar_request* rq, const struct lunar_settings* set) {
  if (!(set->flags & LUNAR_REFUSE_QUIC) || !set->armed || rq->port != 443 || rq->device) return 0;
  if (ask_verdict(rq, set) != LUNAR_CAPTURE) return 0;
  return lunar_judge_address(rq, set) == LUNAR_REDIRECTED;
}

#endif
