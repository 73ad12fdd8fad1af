#include "agent/net/resolver.h"

#include <doctest/doctest.h>

#include <atomic>
#include <future>
#include <map>
#include <semaphore>

using namespace lunar;
using namespace std::chrono_literals;

namespace {

using Addresses = Result<std::vector<IpAddress>>;

// A name server in memory, which can be made to hang.
class Names {
 public:
  void set(const std::string& host, Addresses addresses) { known_.insert_or_assign(host, std::move(addresses)); }
  void hold() { held_ = true; }
  void release(int lookups) { permits_.release(lookups); }
  void await_lookup() { begun_.acquire(); }

  Resolver::Lookup lookup() {
    return [this](const std::string& host) -> Addresses {
      ++count;
      begun_.release();
      if (held_) permits_.acquire();
      auto found = known_.find(host);
      return found == known_.end() ? fail("unknown") : found->second;
    };
  }

  std::atomic<int> count = 0;

 private:
  std::map<std::string, Addresses> known_;
  std::atomic<bool> held_ = false;
  std::counting_semaphore<> permits_{0};
  std::counting_semaphore<> begun_{0};
};

IpAddress address(const char* text) { return IpAddress::parse(text).value(); }

std::future<Result<Endpoints>> ask(Resolver& resolver, const std::string& host, uint16_t port = 80) {
  auto promise = std::make_shared<std::promise<Result<Endpoints>>>();
  resolver.resolve(host, port, [promise](Result<Endpoints> answer) { promise->set_value(std::move(answer)); });
  return promise->get_future();
}

bool answered(const std::future<Result<Endpoints>>& future) { return future.wait_for(0s) == std::future_status::ready; }

}  // namespace

TEST_CASE("resolver: answers with all addresses in order, and the port") {
  Names names;
  names.set("a.example.com", Addresses({address("2001:db8::1"), address("198.18.0.1")}));
  Resolver resolver({}, names.lookup());
  auto answer = ask(resolver, "A.example.com", 8443).get();
  REQUIRE(answer);
  CHECK(*answer == Endpoints{{address("2001:db8::1"), 8443}, {address("198.18.0.1"), 8443}});
}

TEST_CASE("resolver: address literals need no lookup and are answered at once") {
  Names names;
  Resolver resolver({}, names.lookup());
  auto four = ask(resolver, "198.18.0.1");
  auto six = ask(resolver, "2001:db8::1");
  REQUIRE(answered(four));
  REQUIRE(answered(six));
  CHECK(four.get()->front().address == address("198.18.0.1"));
  CHECK(six.get()->front().address == address("2001:db8::1"));
  CHECK(names.count == 0);
}

TEST_CASE("resolver: an answer serves again until it is too old, a failure much shorter") {
  Names names;
  names.set("a", Addresses({address("198.18.0.1")}));
  Resolver lasting({}, names.lookup());
  CHECK(ask(lasting, "a").get());
  auto again = ask(lasting, "a");
  CHECK(answered(again));
  CHECK(names.count == 1);
  CHECK_FALSE(ask(lasting, "b").get());
  CHECK_FALSE(ask(lasting, "b").get());
  CHECK(names.count == 2);

  Names aging;
  aging.set("a", Addresses({address("198.18.0.1")}));
  Resolver forgetful({.found_ttl = 0ns, .missing_ttl = 0ns}, aging.lookup());
  CHECK(ask(forgetful, "a").get());
  CHECK(ask(forgetful, "a").get());
  CHECK(aging.count == 2);
}

TEST_CASE("resolver: lookups of one name share one query") {
  Names names;
  names.set("a", Addresses({address("198.18.0.1")}));
  names.hold();
  Resolver resolver({}, names.lookup());
  auto first = ask(resolver, "a", 1);
  names.await_lookup();
  auto second = ask(resolver, "a", 2);
  CHECK_FALSE(answered(first));
  CHECK_FALSE(answered(second));
  names.release(1);
  CHECK(first.get()->front().port == 1);
  CHECK(second.get()->front().port == 2);
  CHECK(names.count == 1);
}

TEST_CASE("resolver: a full queue refuses at once") {
  Names names;
  names.hold();
  Resolver resolver({.threads = 1, .queue_limit = 2}, names.lookup());
  auto first = ask(resolver, "a");
  names.await_lookup();
  auto second = ask(resolver, "b");
  auto third = ask(resolver, "c");
  REQUIRE(answered(third));
  CHECK(third.get().error().text == "Could not resolve host c: too many lookups wait");
  CHECK_FALSE(answered(second));
  names.release(2);
  CHECK_FALSE(first.get());
  CHECK_FALSE(second.get());
}

TEST_CASE("resolver: a lookup that hangs is answered at its deadline, and the threads go on") {
  Names names;
  names.set("a", Addresses({address("198.18.0.1")}));
  names.hold();
  Resolver resolver({.threads = 1, .deadline = 20ms}, names.lookup());
  auto hanging = ask(resolver, "a");
  auto queued = ask(resolver, "b");
  CHECK(hanging.get().error().text == "Could not resolve host a: no answer in time");
  CHECK(queued.get().error().text == "Could not resolve host b: no answer in time");
  names.release(1000);
  bool known = false;
  for (int attempt = 0; attempt < 500 && !known; ++attempt) known = ask(resolver, "a").get().has_value();
  CHECK(known);
}

TEST_CASE("resolver: its end answers everybody who waits") {
  Names names;
  names.hold();
  std::future<Result<Endpoints>> running;
  std::future<Result<Endpoints>> queued;
  {
    Resolver resolver({.threads = 1}, names.lookup());
    running = ask(resolver, "a");
    names.await_lookup();
    queued = ask(resolver, "b");
    names.release(10);
  }
  REQUIRE(answered(running));
  REQUIRE(answered(queued));
  CHECK_FALSE(running.get());
  CHECK_FALSE(queued.get());
}

TEST_CASE("resolver: the system knows localhost, and says why it does not know a name") {
  auto known = resolve_with_system("localhost");
  REQUIRE(known);
  CHECK_FALSE(known->empty());
  std::string too_long(300, 'a');  // refused without asking any name server
  auto unknown = resolve_with_system(too_long);
  REQUIRE_FALSE(unknown);
  CHECK(unknown.error().text.starts_with("Could not resolve host " + too_long + ": "));
}
