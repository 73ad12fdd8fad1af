// What the gateway keeps of minted certificates, so that a handshake rarely waits for the supervisor.
#pragma once

#include <cstddef>
#include <iterator>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "agent/net/x509_values.h"

namespace lunar {

// `Leaf` is what a handshake needs, ready for use. Safe to use from several threads; the least recently used go first.
template <class Leaf>
class LeafCache {
 public:
  struct Found {
    std::shared_ptr<const Leaf> leaf;  // null: mint one
    bool renew = false;                // more than half of its life is over: mint another one, this one may be shown
  };

  explicit LeafCache(size_t limit = 1000) : limit_(limit) {}

  // By the name as the client asked for it, and the fingerprint of the certificate whose names were mirrored: a
  // provider that changes its certificate gets another leaf. The last tenth of a certificate's life is not used, so
  // that a client whose clock is ahead takes it.
  [[nodiscard]] Found find(std::string_view host, std::string_view provider, WallTime now) {
    const std::lock_guard lock(mutex_);
    const auto found = by_name_.find(name_of(host, provider));
    if (found == by_name_.end()) return {};
    const auto entry = found->second;
    const auto life = entry->validity.not_after - entry->minted;
    if (now < entry->validity.not_before || now >= entry->validity.not_after - life / 10) {
      erase(entry);
      return {};
    }
    entries_.splice(entries_.begin(), entries_, entry);
    return {.leaf = entry->leaf, .renew = now >= entry->minted + life / 2};
  }

  // `validity` is that of its certificate, which was minted at `now`.
  void put(std::string_view host, std::string_view provider, std::shared_ptr<const Leaf> leaf, Validity validity,
           WallTime now) {
    const std::lock_guard lock(mutex_);
    std::string name = name_of(host, provider);
    if (const auto old = by_name_.find(name); old != by_name_.end()) erase(old->second);
    entries_.push_front({.name = std::move(name), .leaf = std::move(leaf), .validity = validity, .minted = now});
    by_name_.emplace(entries_.front().name, entries_.begin());
    if (entries_.size() > limit_) erase(std::prev(entries_.end()));
  }

  [[nodiscard]] size_t size() const {
    const std::lock_guard lock(mutex_);
    return entries_.size();
  }

 private:
  struct Entry {
    std::string name;
    std::shared_ptr<const Leaf> leaf;
    Validity validity;
    WallTime minted;
  };
  using Entries = std::list<Entry>;

  [[nodiscard]] static std::string name_of(std::string_view host, std::string_view provider) {
    std::string out(host);
    out += '\0';  // in no host name
    return out.append(provider);
  }

  void erase(typename Entries::iterator entry) {
    by_name_.erase(entry->name);
    entries_.erase(entry);
  }

  const size_t limit_;
  mutable std::mutex mutex_;
  Entries entries_;                                                           // the most recently used first
  std::unordered_map<std::string_view, typename Entries::iterator> by_name_;  // views of the entries' names
};

}  // namespace lunar
