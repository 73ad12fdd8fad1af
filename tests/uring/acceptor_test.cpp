#include "agent/uring/acceptor.h"

#include <sys/resource.h>

#include <thread>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

struct Door {
  explicit Door(Ground& owner)
      : ground(owner),
        listener(listen_on_loopback(at)),
        acceptor(
            owner.loop, listener.get(), [this](Fd socket) { guests.push_back(std::move(socket)); },
            [this](int error) { refusals.push_back(error); }) {}
  ~Door() {
    acceptor.stop();
    CHECK(ground.until([&] { return acceptor.stopped(); }));
  }
  Ground& ground;
  Endpoint at;
  Fd listener;
  std::vector<Fd> guests;
  std::vector<int> refusals;
  Acceptor acceptor;
};

// Takes away all descriptors but those that are open, for as long as it lives.
struct NoMoreDescriptors {
  NoMoreDescriptors() {
    REQUIRE(getrlimit(RLIMIT_NOFILE, &before) == 0);
    int highest = 0;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
      highest = std::max(highest, std::stoi(entry.path().filename()));
    while ((filler.push_back(Fd(fcntl(0, F_DUPFD_CLOEXEC, 0))), filler.back().get()) < highest) {
    }
    rlimit none{.rlim_cur = static_cast<rlim_t>(filler.back().get()) + 1, .rlim_max = before.rlim_max};
    REQUIRE(setrlimit(RLIMIT_NOFILE, &none) == 0);
  }
  ~NoMoreDescriptors() { setrlimit(RLIMIT_NOFILE, &before); }
  rlimit before{};
  std::vector<Fd> filler;
};

}  // namespace

TEST_CASE("acceptor: accepts what waited before it started and what comes later, close-on-exec and blocking") {
  Ground ground;
  Door door(ground);
  Fd early = connect_to(door.at);
  ground.settle();
  CHECK(door.guests.empty());
  door.acceptor.start();
  door.acceptor.start();
  CHECK(ground.until([&] { return door.guests.size() == 1; }));
  Fd late = connect_to(door.at);
  CHECK(ground.until([&] { return door.guests.size() == 2; }));
  CHECK((fcntl(door.guests[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK((fcntl(door.guests[0].get(), F_GETFL) & O_NONBLOCK) == 0);
  send_all(early, "first");
  CHECK(recv(door.guests[0].get(), std::string(5, ' ').data(), 5, 0) == 5);
  CHECK(door.refusals.empty());
}

TEST_CASE("acceptor: thousands that come at once are all served") {
  allow_descriptors(8192);
  Ground ground;
  Door door(ground);
  std::vector<Fd> clients;
  for (int i = 0; i < 1000; ++i) clients.push_back(connect_to(door.at));
  door.acceptor.start();
  CHECK(ground.until([&] { return door.guests.size() == 1000; }));
  std::jthread more([&] {
    for (int i = 0; i < 1000; ++i) clients.push_back(connect_to(door.at));
  });
  CHECK(ground.until([&] { return door.guests.size() == 2000; }));
}

TEST_CASE("acceptor: stopped, it takes nothing more; the queue is left to a successor") {
  Ground ground;
  Door door(ground);
  door.acceptor.start();
  ground.settle();
  door.acceptor.stop();
  CHECK(ground.until([&] { return door.acceptor.stopped(); }));
  Fd client = connect_to(door.at);
  ground.settle();
  CHECK(door.guests.empty());
  CHECK(accept_waiting(door.listener));
  door.acceptor.start();
  CHECK(door.acceptor.stopped());
}

TEST_CASE("acceptor: stopped in the turn in which connections come, none of them is lost") {
  for (int round = 0; round < 50; ++round) {
    Ground ground;
    Door door(ground);
    door.acceptor.start();
    if (round % 2 == 0) ground.settle();
    std::vector<Fd> clients;
    for (int i = 0; i < 5; ++i) clients.push_back(connect_to(door.at));
    door.acceptor.stop();
    REQUIRE(ground.until([&] { return door.acceptor.stopped(); }));
    size_t queued = 0;
    while (accept_waiting(door.listener)) ++queued;
    CHECK(door.guests.size() + queued == clients.size());
  }
}

TEST_CASE("acceptor: out of descriptors it says so, tries again, and goes on when there are some") {
  Ground ground;
  Door door(ground);
  Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  socklen_t length = door.at.to(address);
  {
    NoMoreDescriptors poverty;
    door.acceptor.start();  // the kernel notes the limit when it takes the request
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    CHECK(ground.until([&] { return door.refusals.size() >= 3; }));
    CHECK(door.refusals.front() == EMFILE);
    CHECK(ground.until([&] { return door.acceptor.retrying(); }));
    CHECK(door.guests.empty());
    MonotonicTime begin = monotonic_now();
    size_t before = door.refusals.size();
    ground.run_for(milliseconds(100));
    // With a pause in between, not in a busy loop.
    CHECK(door.refusals.size() - before <= static_cast<size_t>((monotonic_now() - begin) / milliseconds(10)) + 1);
  }
  CHECK(ground.until([&] { return door.guests.size() == 1; }));
  Fd another = connect_to(door.at);
  CHECK(ground.until([&] { return door.guests.size() == 2; }));
}

TEST_CASE("acceptor: stopped while it waits to try again") {
  Ground ground;
  Door door(ground);
  Fd client(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage address{};
  socklen_t length = door.at.to(address);
  {
    NoMoreDescriptors poverty;
    door.acceptor.start();  // the kernel notes the limit when it takes the request
    REQUIRE(::connect(client.get(), reinterpret_cast<sockaddr*>(&address), length) == 0);
    CHECK(ground.until([&] { return !door.refusals.empty(); }));
    door.acceptor.stop();
    CHECK(ground.until([&] { return door.acceptor.stopped(); }));
  }
  ground.run_for(milliseconds(30));
  CHECK(door.acceptor.stopped());
  CHECK(door.guests.empty());
}

TEST_CASE("acceptor: a listener that somebody else shuts down ends it, which it says once") {
  Ground ground;
  Door door(ground);
  door.acceptor.start();
  ground.settle();
  REQUIRE(shutdown(door.listener.get(), SHUT_RDWR) == 0);
  CHECK(ground.until([&] { return door.acceptor.stopped(); }));
  ground.run_for(milliseconds(30));
  CHECK(door.refusals == std::vector<int>{EINVAL});
  CHECK(door.acceptor.stopped());
  CHECK_FALSE(door.acceptor.retrying());
}
