// TLS sessions that providers gave to this process, to be resumed by later connections to them.
#pragma once

#include <chrono>
#include <cstddef>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/net/openssl_handles.h"
#include "flowengine/instant.h"

namespace lunar {

// Safe to use from several threads. The least recently used keys go first.
class TlsSessionCache {
 public:
  struct Limits {
    size_t keys = 1024;
    size_t sessions_per_key = 64;                           // of TLS 1.3, each of which resumes one connection
    size_t average_per_key = 4;                             // times `keys`: sessions of all keys together
    std::chrono::seconds lifetime = std::chrono::hours(2);  // the server may have said less
  };

  explicit TlsSessionCache(Limits limits) : limits_(limits) {}

  // The newest one that has not expired at `now`; null: none. One of TLS 1.3 is given out once (RFC 8446 §C.4), one of
  // TLS 1.2 as a copy.
  [[nodiscard]] OpensslHandle<ssl_session_st> take(std::string_view key, WallTime now);
  // Keeps a copy: OpenSSL makes a session unusable when its connection ends without close_notify.
  void put(std::string_view key, const ssl_session_st& session);
  [[nodiscard]] size_t keys() const;

 private:
  struct Entry {
    std::string key;
    std::vector<OpensslHandle<ssl_session_st>> sessions;  // oldest first, never empty
  };
  using Entries = std::list<Entry>;

  [[nodiscard]] bool expired(const ssl_session_st& session, WallTime now) const;
  void erase(Entries::iterator entry);
  void erase_oldest(Entries::iterator entry);

  const Limits limits_;
  mutable std::mutex mutex_;
  Entries entries_;                                                 // most recently used first
  size_t sessions_ = 0;                                             // of all of them
  std::unordered_map<std::string_view, Entries::iterator> by_key_;  // views of the entries' keys
};

}  // namespace lunar
