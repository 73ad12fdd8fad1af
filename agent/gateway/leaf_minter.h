// Certificates for intercepted clients: cached ones, and new ones from the supervisor, which a thread of its own asks.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "agent/base/fd.h"
#include "agent/net/leaf_cache.h"
#include "agent/net/leaf_key.h"
#include "agent/net/minting.h"
#include "agent/net/tls_credentials.h"

namespace lunar::gateway {

// All calls from any thread.
class LeafMinter {
 public:
  struct Settings {
    size_t cache = 1000;            // certificates
    std::chrono::seconds lifetime;  // of a certificate, at most
  };
  // What a certificate is to be made for.
  struct Wanted {
    std::string host;      // as the client asked for it: a name or an address literal
    std::string provider;  // DER of the provider's certificate, whose names are mirrored
    bool verified = false;
  };
  using Leaf = std::shared_ptr<const TlsCredentials>;
  // Called exactly once, perhaps before request() returns, else on the minter's thread. It must not block or throw.
  using Done = std::function<void(Result<Leaf>)>;

  // `asking`: see MintQuestions.
  [[nodiscard]] static Result<std::unique_ptr<LeafMinter>> create(Fd asking, Settings settings);
  LeafMinter(const LeafMinter&) = delete;
  LeafMinter& operator=(const LeafMinter&) = delete;
  ~LeafMinter();  // answers all that is waiting with an error

  // Requests for one certificate share one question. From half of its life on a cached one is renewed in passing.
  void request(Wanted wanted, Done done);

 private:
  LeafMinter(Fd asking, LeafKey key, Settings settings);

  void work();
  [[nodiscard]] Result<Leaf> mint(const Wanted& wanted);
  [[nodiscard]] std::vector<Done> take_waiting(const Wanted& wanted);

  const Settings settings_;
  const Fd asking_;
  MintQuestions questions_;  // the thread's
  const LeafKey key_;
  LeafCache<TlsCredentials> cache_;
  std::mutex mutex_;
  std::condition_variable work_;
  bool stopping_ = false;
  std::deque<Wanted> queue_;
  std::unordered_map<std::string, std::vector<Done>> waiting_;  // by host and certificate: queued or being asked for
  std::thread thread_;
};

}  // namespace lunar::gateway
