// Where the attached hook is tested: a network namespace and a cgroup of our own, an origin, and listeners that stand
// in for the gateway. Whoever connects runs in a forked child inside a cgroup, as an application would.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/redirect/heartbeat.h"
#include "agent/redirect/hook.h"
#include "agent/redirect/listeners.h"
#include "agent/redirect/original_dst.h"

namespace lunar::test {

// Runs a program and its arguments; throws when it fails.
void command(const std::string& line);

// <mount>/lunar-test-<pid>/…; removed with everything below.
class CgroupScope {
 public:
  CgroupScope();
  ~CgroupScope();
  CgroupScope(const CgroupScope&) = delete;
  CgroupScope& operator=(const CgroupScope&) = delete;

  [[nodiscard]] const std::string& mount() const { return mount_; }
  [[nodiscard]] const std::string& path() const { return path_; }  // below the mount
  [[nodiscard]] std::string directory(const std::string& name = "") const { return mount_ + path_ + name; }
  [[nodiscard]] uint64_t make(const std::string& name) const;  // "/shop": makes it and gives its id
  void remove(const std::string& name) const;
  [[nodiscard]] unsigned level(const std::string& name) const;

 private:
  std::string mount_;
  std::string path_;
};

// What a client saw; plain values, they come from a child process.
struct Seen {
  int error = 0;   // errno of connect(), or of what came after
  char who = '-';  // 'G' the gateway answered, 'O' the origin, '-' nobody
  sockaddr_storage peer{};
  sockaddr_storage local{};
  uint32_t pid = 0;
  uint64_t elapsed_ns = 0;
  [[nodiscard]] std::string peer_text() const { return Endpoint::from(peer).text(); }
  [[nodiscard]] std::string local_address() const { return Endpoint::from(local).address.text(); }
};

// Runs a function in a child process that has entered the cgroup first.
[[nodiscard]] Seen in_cgroup(const std::string& directory, const std::function<Seen()>& body);
void enter_cgroup(const std::string& directory);

// The usual client: connects, reads one byte, asks for its peer. `prepare` gets the socket before connect().
using Prepare = std::function<void(int)>;
[[nodiscard]] Seen connect_once(const Endpoint& to, const Prepare& prepare = {}, int family = 0, int protocol = 0);
[[nodiscard]] Seen finish(int fd, int error);  // after a connect() with that errno (0: success)

// Accepts on any number of listeners and greets with one byte.
class Greeter {
 public:
  Greeter();
  ~Greeter();
  void serve(int listener_fd, char greeting);
  void pause(bool paused);  // paused: nothing is accepted
  struct Guest {
    char greeting;
    std::optional<Origin> origin;
    Endpoint local;  // of ours: tells the worker and the address
    [[nodiscard]] unsigned worker() const { return local.address.bytes[14]; }
    [[nodiscard]] unsigned address() const { return local.address.bytes[15]; }
  };
  void look_up_origins(const OriginMap* map);
  [[nodiscard]] std::vector<Guest> guests();  // since the last call

 private:
  void run();
  struct Door {
    int fd;
    char greeting;
  };
  std::mutex mutex_;
  std::vector<Door> doors_;
  std::vector<Guest> guests_;
  std::array<Fd, 16> held_;
  size_t next_held_ = 0;
  const OriginMap* origins_ = nullptr;
  bool paused_ = false;
  Fd wake_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

class Stage {
 public:
  explicit Stage(uint32_t workers = 2);
  ~Stage();

  static constexpr const char* v4_origin = "198.18.1.1";
  static constexpr const char* v6_origin = "2001:db8:1::1";
  [[nodiscard]] Endpoint origin4() const { return *Endpoint::parse(std::string(v4_origin) + ":8081"); }
  [[nodiscard]] Endpoint origin6() const { return *Endpoint::parse("[" + std::string(v6_origin) + "]:8081"); }
  [[nodiscard]] Seen client(const Endpoint& to, const Prepare& prepare = {}, int family = 0, int protocol = 0);
  [[nodiscard]] Seen client(const std::function<Seen()>& body) { return in_cgroup(cgroup.directory("/client"), body); }
  // How much a counter has grown since the last call of mark().
  [[nodiscard]] uint64_t grown(lunar_reason reason) const;
  void mark() { before_ = hook->counters(); }
  void capture(const std::string& name, Policy policy = Policy::capture);
  void beat();

  CgroupScope cgroup;
  std::unique_ptr<Hook> hook;
  std::vector<WorkerListener> listeners;
  std::unique_ptr<OriginMap> origins;
  std::unique_ptr<Heartbeats> heartbeats;
  Greeter greeter;
  uint32_t workers;

 private:
  std::vector<Fd> origin_listeners_;
  ReasonCounts before_{};
};

}  // namespace lunar::test
