#include "agent/net/resolver.h"

#include <netdb.h>

#include <algorithm>
#include <utility>

namespace lunar {
namespace {

Result<Endpoints> with_port(const Result<std::vector<IpAddress>>& addresses, uint16_t port) {
  if (!addresses) return std::unexpected(addresses.error());
  Endpoints out;
  for (const IpAddress& address : *addresses) out.push_back({address, port});
  return out;
}

std::string folded(std::string host) {
  std::ranges::transform(host, host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return host;
}

}  // namespace

Result<std::vector<IpAddress>> resolve_with_system(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  int failure = getaddrinfo(host.c_str(), nullptr, &hints, &list);
  if (failure != 0) return fail("Could not resolve host " + host + ": " + gai_strerror(failure));
  std::vector<IpAddress> out;
  for (const addrinfo* entry = list; entry != nullptr; entry = entry->ai_next) {
    if (entry->ai_family != AF_INET && entry->ai_family != AF_INET6) continue;
    sockaddr_storage storage{};
    std::copy_n(reinterpret_cast<const char*>(entry->ai_addr), entry->ai_addrlen, reinterpret_cast<char*>(&storage));
    IpAddress address = Endpoint::from(storage).address;
    if (std::ranges::find(out, address) == out.end()) out.push_back(address);
  }
  freeaddrinfo(list);
  if (out.empty()) return fail("Could not resolve host " + host + ": it has no address");
  return out;
}

Resolver::Resolver(Settings settings, Lookup lookup) : settings_(settings), lookup_(std::move(lookup)) {
  for (unsigned i = 0; i < settings_.threads; ++i) threads_.emplace_back([this] { look_up_names(); });
  threads_.emplace_back([this] { watch_deadlines(); });
}

Resolver::~Resolver() {
  std::vector<Waiter> left;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    for (auto& [host, lookup] : waiting_) std::ranges::move(lookup.waiters, std::back_inserter(left));
    waiting_.clear();
    queue_.clear();
  }
  work_.notify_all();
  deadline_.notify_all();
  for (const Waiter& waiter : left) waiter.done(fail("the gateway is shutting down"));
  for (std::thread& thread : threads_) thread.join();
}

void Resolver::resolve(std::string host, uint16_t port, Done done) {
  if (auto literal = IpAddress::parse(host)) return done(Endpoints{{*literal, port}});
  host = folded(std::move(host));
  auto answer = enlist(host, port, done);
  if (answer) done(with_port(*answer, port));
}

// The answer where there is one already; else `done` waits for it.
std::optional<Resolver::Addresses> Resolver::enlist(const std::string& host, uint16_t port, Done& done) {
  std::lock_guard lock(mutex_);
  MonotonicTime now = monotonic_now();
  if (stopping_) return fail("the gateway is shutting down");
  if (auto cached = cache_.find(host); cached != cache_.end() && now < cached->second.expires)
    return cached->second.addresses;
  auto under_way = waiting_.find(host);
  if (under_way != waiting_.end()) {
    under_way->second.waiters.push_back({port, std::move(done)});
    return std::nullopt;
  }
  if (waiting_.size() >= settings_.queue_limit)
    return fail("Could not resolve host " + host + ": too many lookups wait");
  MonotonicTime expires = now + settings_.deadline;
  UnderWay& started = waiting_[host];
  started.expires = expires;
  started.waiters.push_back({port, std::move(done)});
  queue_.push_back(host);
  expiries_.emplace_back(expires, host);
  work_.notify_one();
  deadline_.notify_one();
  return std::nullopt;
}

void Resolver::look_up_names() {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (stopping_) return;
    std::string host = std::move(queue_.front());
    queue_.pop_front();
    if (!waiting_.contains(host)) continue;  // its deadline has passed
    lock.unlock();
    auto addresses = lookup_(host);
    lock.lock();
    remember(host, addresses, monotonic_now());
    std::vector<Waiter> waiters = take_waiters(host);
    lock.unlock();
    for (const Waiter& waiter : waiters) waiter.done(with_port(addresses, waiter.port));
    lock.lock();
  }
}

void Resolver::watch_deadlines() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (expiries_.empty()) {
      deadline_.wait(lock);
      continue;
    }
    auto [expires, host] = expiries_.front();
    if (monotonic_now() < expires) {
      deadline_.wait_for(lock, expires - monotonic_now());
      continue;
    }
    expiries_.pop_front();
    auto found = waiting_.find(host);
    if (found == waiting_.end() || found->second.expires != expires) continue;  // answered, perhaps asked for again
    std::vector<Waiter> waiters = take_waiters(host);
    lock.unlock();
    for (const Waiter& waiter : waiters) waiter.done(fail("Could not resolve host " + host + ": no answer in time"));
    lock.lock();
  }
}

std::vector<Resolver::Waiter> Resolver::take_waiters(const std::string& host) {
  auto found = waiting_.find(host);
  if (found == waiting_.end()) return {};
  std::vector<Waiter> out = std::move(found->second.waiters);
  waiting_.erase(found);
  return out;
}

void Resolver::remember(const std::string& host, const Addresses& addresses, MonotonicTime now) {
  if (cache_.size() >= settings_.cache_limit) {
    std::erase_if(cache_, [&](const auto& entry) { return entry.second.expires <= now; });
    if (cache_.size() >= settings_.cache_limit) cache_.clear();
  }
  cache_.insert_or_assign(host, Answer{addresses, now + (addresses ? settings_.found_ttl : settings_.missing_ttl)});
}

}  // namespace lunar
