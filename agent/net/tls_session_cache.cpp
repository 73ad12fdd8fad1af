#include "agent/net/tls_session_cache.h"

#include <openssl/ssl.h>

#include <algorithm>
#include <utility>

namespace lunar {
namespace {

bool single_use(const SSL_SESSION& session) { return SSL_SESSION_get_protocol_version(&session) >= TLS1_3_VERSION; }

}  // namespace

OpensslHandle<ssl_session_st> TlsSessionCache::take(std::string_view key, WallTime now) {
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) return nullptr;
  auto entry = found->second;
  auto& sessions = entry->sessions;
  sessions_ -= std::erase_if(sessions, [&](const auto& session) { return expired(*session, now); });
  OpensslHandle<ssl_session_st> taken;
  if (!sessions.empty() && single_use(*sessions.back())) {
    taken = std::move(sessions.back());
    sessions.pop_back();
    --sessions_;
  } else if (!sessions.empty()) {
    taken.reset(SSL_SESSION_dup(sessions.back().get()));
  }
  if (sessions.empty())
    erase(entry);
  else
    entries_.splice(entries_.begin(), entries_, entry);
  return taken;
}

void TlsSessionCache::put(std::string_view key, const ssl_session_st& session) {
  if (limits_.keys == 0 || limits_.sessions_per_key == 0 || SSL_SESSION_is_resumable(&session) == 0) return;
  OpensslHandle<ssl_session_st> copy(SSL_SESSION_dup(&session));
  if (!copy) return;
  std::lock_guard lock(mutex_);
  auto found = by_key_.find(key);
  if (found == by_key_.end()) {
    entries_.push_front({std::string(key), {}});
    by_key_.emplace(entries_.front().key, entries_.begin());
  } else {
    entries_.splice(entries_.begin(), entries_, found->second);
  }
  auto& sessions = entries_.front().sessions;
  // One of TLS 1.2 can be used again and again, so the newest one replaces all.
  if (!single_use(session)) sessions_ -= std::exchange(sessions, {}).size();
  sessions.push_back(std::move(copy));
  ++sessions_;
  if (sessions.size() > limits_.sessions_per_key) erase_oldest(entries_.begin());
  if (entries_.size() > limits_.keys) erase(std::prev(entries_.end()));
  if (sessions_ > limits_.keys * limits_.average_per_key) erase_oldest(std::prev(entries_.end()));
}

size_t TlsSessionCache::keys() const {
  std::lock_guard lock(mutex_);
  return entries_.size();
}

bool TlsSessionCache::expired(const ssl_session_st& session, WallTime now) const {
  long allowed = std::min<long>(SSL_SESSION_get_timeout(&session), limits_.lifetime.count());
  // TLS 1.2 says it beside the session, and 0 is no statement (RFC 5077 §3.3).
  if (auto hint = static_cast<long>(SSL_SESSION_get_ticket_lifetime_hint(&session)); hint > 0)
    allowed = std::min(allowed, hint);
  return now >= WallTime(std::chrono::seconds(SSL_SESSION_get_time(&session) + allowed));
}

void TlsSessionCache::erase_oldest(Entries::iterator entry) {
  entry->sessions.erase(entry->sessions.begin());
  --sessions_;
  if (entry->sessions.empty()) erase(entry);
}

void TlsSessionCache::erase(Entries::iterator entry) {
  sessions_ -= entry->sessions.size();
  by_key_.erase(entry->key);
  entries_.erase(entry);
}

}  // namespace lunar
