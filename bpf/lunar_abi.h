/* The values that the kernel part and user space exchange; included by both sides, C11 and C++.
 * Unless a field says otherwise, integers are in host order and addresses in network order.
 * A change of any layout or meaning here must raise LUNAR_ABI. */
#ifndef LUNAR_ABI_H
#define LUNAR_ABI_H

#include <linux/types.h>

#ifdef __cplusplus
#define LUNAR_ASSERT(condition) static_assert(condition, #condition)
#else
#define LUNAR_ASSERT(condition) _Static_assert(condition, #condition)
#endif

#define LUNAR_ABI 1u
#define LUNAR_MAX_WORKERS 64
#define LUNAR_ADDRESSES_PER_WORKER 4 /* 127.77.w.1 … 127.77.w.4: each adds 28k client ports */
#define LUNAR_MAX_LEVELS 32          /* depth of an attached cgroup below the root */
#define LUNAR_COMM 16

/* Why a connect went the way it went. The order is that of the decision; the values index the counters. */
enum lunar_reason {
  LUNAR_REDIRECTED = 0,
  LUNAR_NOT_TCP,          /* no TCP stream: not ours to judge, not counted */
  LUNAR_DISARMED,         /* user space said no: start, bypass, cooldown, shutdown */
  LUNAR_NO_PORT,          /* no worker listens for this family, or port 0 */
  LUNAR_DEVICE_BOUND,     /* SO_BINDTODEVICE: loopback is not on that device */
  LUNAR_OWN_SOCKET,       /* the gateway's own connection */
  LUNAR_NOT_CAPTURED,     /* no policy for this cgroup or its ancestors */
  LUNAR_POLICY_BYPASS,    /* the nearest policy says bypass */
  LUNAR_BYPASS_ADDRESS,   /* loopback, link-local, multicast, private, own or on-link address */
  LUNAR_NO_DEFAULT_ROUTE, /* the host could not reach it either: let the client see the true errno at once */
  LUNAR_BREAKER,          /* a redirected SYN was lost a moment ago */
  LUNAR_UNREACHABLE,      /* the gateway failed to reach this destination a moment ago */
  LUNAR_STALE_HEARTBEAT,  /* no worker gave a sign of life within the deadline */
  LUNAR_ALL_BUSY,         /* workers live, but each says that it is overloaded */
  LUNAR_NO_LISTENER,      /* nothing of ours listens in the client's network namespace */
  LUNAR_FOREIGN_LISTENER, /* somebody else listens on our address */
  LUNAR_BACKLOG,          /* too many connections wait to be accepted */
  LUNAR_NO_MEMORY,        /* the kernel had no room for the socket's storage */
  LUNAR_QUIC_REFUSED,     /* UDP 443 of a captured cgroup, refused because asked to */
  LUNAR_SYN_LOST,         /* a redirected SYN had to be sent again (trips the breaker) */
  LUNAR_NO_FLOW,          /* accepted from our listener without a redirect: a probe or an explicit proxy client */
  LUNAR_REASONS
};

static inline const char* lunar_reason_name(unsigned reason) {
  static const char* const names[LUNAR_REASONS] = {
      "redirected",      "not_tcp",       "disarmed",       "no_port",          "device_bound", "own_socket",
      "not_captured",    "policy_bypass", "bypass_address", "no_default_route", "breaker",      "unreachable",
      "stale_heartbeat", "all_busy",      "no_listener",    "foreign_listener", "backlog",      "no_memory",
      "quic_refused",    "syn_lost",      "no_flow"};
  return reason < LUNAR_REASONS ? names[reason] : "unknown";
}

/* Map `heartbeats`: one slot per worker, alone on its cache line; written by the worker through mmap. */
struct lunar_heartbeat {
  __u64 beat_ns;  /* CLOCK_MONOTONIC */
  __u64 accepted; /* connections taken from the worker's listeners since the first start */
  __u32 busy;     /* not 0: prefer another worker */
  __u32 reserved;
  __u64 pad[5];
};
LUNAR_ASSERT(sizeof(struct lunar_heartbeat) == 64);

enum lunar_flag {
  LUNAR_INCLUDE_LOOPBACK = 1u << 0, /* capture loopback and own addresses too (test suites on one machine) */
  LUNAR_ROUTE_V4 = 1u << 1,         /* an IPv4 default route exists */
  LUNAR_ROUTE_V6 = 1u << 2,         /* an IPv6 default route exists */
  LUNAR_REFUSE_QUIC = 1u << 3,      /* refuse UDP 443 of captured cgroups */
  LUNAR_HAS_ALLOW = 1u << 4,        /* the allow tries are not empty */
};

/* Map `settings`: one entry, written by the supervisor through mmap; each field is stored atomically. */
struct lunar_settings {
  __u32 abi;          /* LUNAR_ABI of the writer */
  __u32 armed;        /* 0: nothing is redirected */
  __u32 workers;      /* slots in use */
  __u32 flags;        /* enum lunar_flag */
  __u32 max_pending;  /* per listener: waiting accepts from which on a connect goes elsewhere */
  __u32 levels;       /* bit n: a policy exists for a cgroup n levels below the root */
  __u64 deadline_ns;  /* a heartbeat older than this is stale */
  __u64 breaker_ns;   /* how long a lost SYN sends everything direct */
  __u64 build;        /* of the programs in place: a successor adopts only its own */
  __u64 netns_cookie; /* of the namespace that the two sources are of */
  __u8 source4[16];   /* what the default route gives a socket as local address, v4-mapped; zeros: unknown */
  __u8 source6[16];
  __u16 port4[LUNAR_MAX_WORKERS]; /* 0: this worker does not listen for the family */
  __u16 port6[LUNAR_MAX_WORKERS];
};
LUNAR_ASSERT(sizeof(struct lunar_settings) == 88 + 4 * LUNAR_MAX_WORKERS);

/* Map `breaker`: one entry, written by the kernel part; user space may only read it or set it to 0. */
struct lunar_breaker {
  __u64 until_ns;
};

enum lunar_verdict { LUNAR_CAPTURE = 1, LUNAR_BYPASS = 2 };

/* Map `policies`: cgroup id -> policy; the nearest ancestor wins. */
struct lunar_policy {
  __u32 verdict; /* enum lunar_verdict */
  __u32 reserved;
};

/* Maps `bypass4`, `bypass6`, `allow4`, `allow6`: LPM tries. */
struct lunar_prefix4 {
  __u32 length;
  __u8 addr[4];
};
struct lunar_prefix6 {
  __u32 length;
  __u8 addr[16];
};
enum lunar_range_kind {
  LUNAR_RANGE_NEVER = 1, /* multicast, unspecified, our own listeners: no option captures it */
  LUNAR_RANGE_LOCAL,     /* loopback, own addresses: by include_loopback, or an allow prefix at least as long */
  LUNAR_RANGE_NEAR,      /* private, link-local, on-link: by any allow prefix */
  LUNAR_RANGE_ALLOWED    /* in the allow tries */
};
struct lunar_range {
  __u32 kind;   /* enum lunar_range_kind */
  __u32 length; /* of the prefix that holds this value */
};

/* Where a redirected connection wanted to go, and who asked. Maps `clients` (the client's socket) and `flows`. */
struct lunar_origin {
  __u8 addr[16];      /* IPv4 in v4-mapped form */
  __u8 source[16];    /* local address that the client had bound, v4-mapped; zeros: none */
  __u64 cgroup_id;    /* of the task that connected */
  __u64 netns_cookie; /* of the client's socket; 0 unknown */
  __u64 start_ns;     /* when the process started, CLOCK_BOOTTIME; 0 unknown */
  __u64 listener;     /* lunar_accepted.listener of the listener it was sent to */
  __u32 pid;          /* process, not thread, in the initial pid namespace */
  __u32 uid;
  __u32 mark;            /* SO_MARK of the client's socket */
  __u16 port;            /* host order */
  __u16 listener_port;   /* host order */
  char comm[LUNAR_COMM]; /* name of the connecting thread */
};
LUNAR_ASSERT(sizeof(struct lunar_origin) == 96);

/* Map `accepted`: storage of our listeners, which the kernel clones into every socket accepted from them. */
struct lunar_accepted {
  __u64 listener; /* unique number of the listener; not 0 */
  __u32 worker;
  __u32 known; /* origin is filled in; never on a listener */
  struct lunar_origin origin;
};
LUNAR_ASSERT(sizeof(struct lunar_accepted) == 112);

/* Key of map `flows`: a connection on its way from connect() to our listener. */
struct lunar_flow {
  __u64 listener;
  __u8 addr[16]; /* the client's end, v4-mapped */
  __u32 port;    /* host order */
  __u32 reserved;
};
LUNAR_ASSERT(sizeof(struct lunar_flow) == 32);

/* Key of map `unreachable`; the value is the CLOCK_MONOTONIC time (ns) until which it is believed. */
struct lunar_destination {
  __u8 addr[16]; /* IPv4 in v4-mapped form */
  __u32 port;    /* host order */
};
LUNAR_ASSERT(sizeof(struct lunar_destination) == 20);

#endif
