// The kernel hook as user space holds it: programs, maps and links, all of them plain file descriptors, so that a
// restarted supervisor can adopt those of its predecessor (systemd's fd store) instead of loading anew.
//
// Order: create() or adopt() → set_limits, set_workers, set_worker_ports, set_routes, policies → attach() → arm().
// Closing the last link fd detaches in the kernel: destroying a Hook leaves nothing behind, unless its fds live on
// in the fd store, where ageing heartbeats send every connect direct.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"
#include "agent/base/fd.h"
#include "bpf/lunar_abi.h"
#include "flowengine/result.h"

namespace lunar {

struct NamedFd {
  std::string name;  // letters, digits and '-': fit for FDNAME=
  Fd fd;
};

// Fixed when the programs are loaded.
struct HookConstants {
  Nanoseconds syn_timeout = std::chrono::milliseconds(20);  // first SYN retransmission of a redirected connect
  uint32_t flow_entries = 0;                                // connects under way; 0: by the number of CPUs
};

struct HookLimits {
  Nanoseconds heartbeat_deadline = std::chrono::milliseconds(250);
  Nanoseconds breaker_time = std::chrono::seconds(1);
  uint32_t max_pending_accepts = 512;  // over all workers; each listener gets its share
  bool include_loopback = false;
  bool refuse_quic = false;
};

struct WorkerPorts {
  uint16_t v4 = 0;  // host order; 0: this worker does not listen for the family
  uint16_t v6 = 0;
};

enum class Policy : uint8_t { capture = LUNAR_CAPTURE, bypass = LUNAR_BYPASS };

// What Routes knows about this host.
struct RouteTable {
  std::vector<IpAddress> own;     // addresses of this host
  std::vector<Prefix> connected;  // on-link ranges
  bool default_v4 = false;
  bool default_v6 = false;
  std::optional<IpAddress> source_v4;  // local address of a socket that takes the default route
  std::optional<IpAddress> source_v6;
  bool operator==(const RouteTable&) const = default;
};

using ReasonCounts = std::array<uint64_t, LUNAR_REASONS>;  // index: enum lunar_reason

class Hook {
 public:
  // Opens, sets the constants, loads. Nothing is attached, nothing is armed.
  [[nodiscard]] static Result<std::unique_ptr<Hook>> create(const HookConstants& constants = {});
  // Takes over what fds() of an earlier process gave. Fails, closing everything, when a map is missing or the programs
  // are of another build: then create(). Links that are among them stay attached without any gap.
  [[nodiscard]] static Result<std::unique_ptr<Hook>> adopt(std::vector<NamedFd> fds);
  ~Hook();
  Hook(const Hook&) = delete;
  Hook& operator=(const Hook&) = delete;

  // `ancestor`: directory of a cgroup above everything that may be captured (the cgroup2 mount, or a slice).
  // `own`: directory of the cgroup in which our listeners are opened. Refuses, attaching nothing, beside a program
  // that does not share (not BPF_F_ALLOW_MULTI). Attached already: nothing happens.
  [[nodiscard]] Result<> attach(const std::string& ancestor, const std::string& own);
  void detach();
  // Redirects nothing from now on, but stays with the connections that were redirected: late handshakes still learn
  // their destination, and getpeername() goes on telling it. attach() completes it again.
  void stand_aside();
  [[nodiscard]] bool attached() const;

  void arm();  // one store in shared memory each
  void disarm();
  [[nodiscard]] bool armed() const;

  void set_limits(const HookLimits& limits);
  void set_workers(uint32_t count);  // slots that the hook may choose from
  void set_worker_ports(uint32_t worker, WorkerPorts ports);
  [[nodiscard]] WorkerPorts worker_ports(uint32_t worker) const;
  // The hook sends connects only to listeners that carry our tag; tagging twice is harmless.
  [[nodiscard]] Result<> tag_listener(int listener_fd, uint32_t worker);

  [[nodiscard]] Result<> set_routes(const RouteTable& routes);
  [[nodiscard]] Result<> set_allowed(std::span<const Prefix> ranges);  // addresses of capture.allow_list

  // `level`: depth of the cgroup below the root of the mount. Used by Attachments.
  [[nodiscard]] Result<> set_policy(uint64_t cgroup_id, unsigned level, Policy policy);
  void clear_policy(uint64_t cgroup_id);
  [[nodiscard]] std::vector<uint64_t> policies() const;  // cgroup ids

  [[nodiscard]] ReasonCounts counters() const;
  [[nodiscard]] bool breaker_open(MonotonicTime now) const;
  void reset_breaker();

  // For the gateway: "heartbeats", "accepted", "own-sockets", "unreachable". -1: no such map.
  [[nodiscard]] int map_fd(std::string_view name) const;
  // For the fd store: every map, program and link, under names that adopt() knows. Borrowed fds.
  struct BorrowedFd {
    std::string name;
    int fd;
  };
  [[nodiscard]] std::vector<BorrowedFd> fds() const;

 private:
  struct State;
  explicit Hook(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lunar
