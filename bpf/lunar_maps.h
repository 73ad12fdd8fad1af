/* All state of the kernel part. Layouts: lunar_abi.h. User space writes settings and heartbeats through mmap. */
#ifndef LUNAR_MAPS_H
#define LUNAR_MAPS_H

#include "bpf/lunar_abi.h"

/* Set between open and load; the verifier removes what they switch off. */
const volatile __u32 syn_timeout_jiffies = 0; /* 0: the kernel's own first retransmission time */
const volatile __u32 have_task = 0;           /* bpf_get_current_task_btf() may be called (Linux >= 5.11) */
const volatile __u32 have_mptcp = 0;          /* bpf_skc_to_mptcp_sock() exists (Linux >= 5.19) */
const volatile __u32 have_namespace_pid = 0;  /* bpf_get_ns_current_pid_tgid() may be called here (Linux >= 6.10) */
const volatile __u64 pid_namespace_device = 0;
const volatile __u64 pid_namespace_inode = 0; /* lunard's; 0: the first one, whose numbers the kernel gives anyway */

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct lunar_settings);
} settings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, LUNAR_MAX_WORKERS);
  __type(key, __u32);
  __type(value, struct lunar_heartbeat);
} heartbeats SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct lunar_breaker);
} breaker SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, LUNAR_REASONS);
  __type(key, __u32);
  __type(value, __u64);
} counters SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, __u64);
  __type(value, struct lunar_policy);
} policies SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct lunar_prefix4);
  __type(value, struct lunar_range);
} bypass4 SEC(".maps"), allow4 SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(max_entries, 16384);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, struct lunar_prefix6);
  __type(value, struct lunar_range);
} bypass6 SEC(".maps"), allow6 SEC(".maps");

/* Written by the gateway; the oldest goes when it is full, which is a missed hint and no more. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct lunar_destination);
  __type(value, __u64);
} unreachable SEC(".maps");

/* The gateway's own upstream sockets. */
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, __u32);
} own_sockets SEC(".maps");

/* Redirected sockets of clients, from connect() until they close or connect elsewhere. */
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct lunar_origin);
} clients SEC(".maps");

/* Listeners (tagged by the supervisor) and, cloned from them by the kernel, what is accepted. */
struct {
  __uint(type, BPF_MAP_TYPE_SK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
  __type(key, int);
  __type(value, struct lunar_accepted);
} accepted SEC(".maps");

/* From the client's SYN until the listener's side is established: microseconds. LRU, so that a handshake that never
 * completes costs nothing; the size is set by the number of CPUs. */
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, struct lunar_flow);
  __type(value, struct lunar_origin);
} flows SEC(".maps");

static __always_inline void count(__u32 reason) {
  __u64* counter = bpf_map_lookup_elem(&counters, &reason);
  if (counter) (*counter)++;
}

#endif
