// Names to addresses by the system's resolver, on threads of its own so that no worker ever waits.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agent/base/clock.h"
#include "agent/base/endpoint.h"
#include "flowengine/result.h"

namespace lunar {

using Endpoints = std::vector<Endpoint>;

// getaddrinfo as a value, so that tests need no name server. In the order of preference; empty or an error: unknown.
[[nodiscard]] Result<std::vector<IpAddress>> resolve_with_system(const std::string& host);

class Resolver {
 public:
  using Done = std::function<void(Result<Endpoints>)>;
  using Lookup = std::function<Result<std::vector<IpAddress>>(const std::string& host)>;

  struct Settings {
    unsigned threads = 4;
    size_t queue_limit = 1024;  // lookups under way; beyond it a lookup fails at once
    size_t cache_limit = 4096;
    Nanoseconds found_ttl = std::chrono::seconds(10);
    Nanoseconds missing_ttl = std::chrono::seconds(1);
    Nanoseconds deadline = std::chrono::seconds(10);  // no answer by then is an error
  };

  Resolver() : Resolver(Settings{}, resolve_with_system) {}
  explicit Resolver(Settings settings, Lookup lookup);
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;
  ~Resolver();  // answers all that is waiting with an error, then joins the threads (as long as getaddrinfo takes)

  // `done` is called exactly once: before resolve() returns when the answer is an address literal, cached or refused,
  // else on a thread of the resolver. It must not block and must not throw. Lookups of one name share one query.
  void resolve(std::string host, uint16_t port, Done done);

 private:
  using Addresses = Result<std::vector<IpAddress>>;
  struct Waiter {
    uint16_t port;
    Done done;
  };
  struct UnderWay {
    MonotonicTime expires;
    std::vector<Waiter> waiters;
  };
  struct Answer {
    Addresses addresses;
    MonotonicTime expires;
  };

  std::optional<Addresses> enlist(const std::string& host, uint16_t port, Done& done);
  void look_up_names();
  // getaddrinfo cannot be interrupted, so this thread answers in its place when all others are stuck in it.
  void watch_deadlines();
  std::vector<Waiter> take_waiters(const std::string& host);
  void remember(const std::string& host, const Addresses& addresses, MonotonicTime now);

  const Settings settings_;
  const Lookup lookup_;
  std::mutex mutex_;
  std::condition_variable work_, deadline_;
  bool stopping_ = false;
  std::deque<std::string> queue_;
  std::deque<std::pair<MonotonicTime, std::string>> expiries_;  // in order, because all deadlines are as long
  std::unordered_map<std::string, UnderWay> waiting_;           // by name: queued or being looked up
  std::unordered_map<std::string, Answer> cache_;
  std::vector<std::thread> threads_;
};

}  // namespace lunar
