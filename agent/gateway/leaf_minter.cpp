#include "agent/gateway/leaf_minter.h"

#include <pthread.h>

#include <chrono>
#include <utility>

#include "agent/net/leaf_names.h"

namespace lunar::gateway {
namespace {

constexpr auto patience = std::chrono::seconds(5);
constexpr size_t most_questions = 1024;

std::string name_of(const LeafMinter::Wanted& wanted) {
  std::string out = wanted.host;
  out += '\0';  // in no host name
  return out.append(wanted.provider);
}

WallTime wall_now() { return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()); }

}  // namespace

Result<std::unique_ptr<LeafMinter>> LeafMinter::create(Fd asking, Settings settings) {
  auto key = LeafKey::generate();
  if (!key) return std::unexpected(key.error());
  return std::unique_ptr<LeafMinter>(new LeafMinter(std::move(asking), *std::move(key), settings));
}

LeafMinter::LeafMinter(Fd asking, LeafKey key, Settings settings)
    : settings_(settings),
      asking_(std::move(asking)),
      questions_(asking_.get()),
      key_(std::move(key)),
      cache_(settings.cache),
      thread_([this] { work(); }) {}

LeafMinter::~LeafMinter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  work_.notify_one();
  thread_.join();
}

void LeafMinter::request(Wanted wanted, Done done) {
  auto found = cache_.find(wanted.host, wanted.provider, wall_now());
  if (found.leaf != nullptr) done(found.leaf);
  if (found.leaf != nullptr && !found.renew) return;
  std::unique_lock lock(mutex_);
  if (queue_.size() >= most_questions || stopping_) {
    lock.unlock();
    if (found.leaf == nullptr) done(fail("too many certificates are waited for"));
    return;
  }
  const auto [entry, first] = waiting_.try_emplace(name_of(wanted));
  if (found.leaf == nullptr) entry->second.push_back(std::move(done));
  if (!first) return;
  queue_.push_back(std::move(wanted));
  lock.unlock();
  work_.notify_one();
}

void LeafMinter::work() {
  pthread_setname_np(pthread_self(), "minter");
  std::unique_lock lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Wanted wanted = std::move(queue_.front());
    queue_.pop_front();
    const bool stopping = stopping_;
    lock.unlock();
    const Result<Leaf> leaf = stopping ? Result<Leaf>(fail("the gateway ends")) : mint(wanted);
    for (const Done& done : take_waiting(wanted)) done(leaf);
    lock.lock();
  }
}

std::vector<LeafMinter::Done> LeafMinter::take_waiting(const Wanted& wanted) {
  const std::lock_guard lock(mutex_);
  auto entry = waiting_.extract(name_of(wanted));
  return entry.empty() ? std::vector<Done>{} : std::move(entry.mapped());
}

Result<LeafMinter::Leaf> LeafMinter::mint(const Wanted& wanted) {
  auto names = leaf_names(wanted.provider, wanted.host, wanted.verified);
  if (!names) return std::unexpected(names.error());
  auto minted = questions_.ask({.public_key = key_.public_key(),
                                .host = wanted.verified ? wanted.host : "",
                                .names = *std::move(names),
                                .lifetime = settings_.lifetime},
                               patience);
  if (!minted) return std::unexpected(minted.error());
  auto leaf = TlsCredentials::from_der(minted->certificate, minted->chain, *key_.get());
  if (leaf) cache_.put(wanted.host, wanted.provider, *leaf, minted->validity, wall_now());
  return leaf;
}

}  // namespace lunar::gateway
