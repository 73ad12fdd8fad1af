#include "agent/uring/pump.h"

#include <thread>

#include "tests/uring/loopback.h"

using namespace lunar;
using namespace lunar::uring;
using namespace lunar::uring::test;

namespace {

// client <-> left | right <-> provider
struct Relay {
  Ground ground;
  Pair client = tcp_pair();
  Pair provider = tcp_pair();
  StreamRef left = ground.adopt(std::move(client.ours));
  StreamRef right = ground.adopt(std::move(provider.ours));
  Waker waker{ground.loop};
  Pump pump{*left, *right};
  Pump::State state = Pump::State::open;
  TaskGroup group;

  Relay() {
    left->wake(&waker);
    right->wake(&waker);
    group.start(run());
  }
  ~Relay() {
    leave = true;
    waker.signal();
    CHECK(ground.until([&] { return group.size() == 0; }));
    left.reset();
    right.reset();
  }
  Task<> run() {
    while (!leave && (state = pump.step()) == Pump::State::open) co_await waker.wait(MonotonicTime::max());
  }
  bool leave = false;
};

std::string receive_to_end(const Fd& socket) {
  std::string all;
  char chunk[65536];
  ssize_t got = 0;
  while ((got = recv(socket.get(), chunk, sizeof chunk, 0)) > 0) all.append(chunk, static_cast<size_t>(got));
  return all;
}

}  // namespace

TEST_CASE("pump: relays both directions, half-closes each on its own, then is finished") {
  Relay relay;
  send_all(relay.client.theirs, "question");
  REQUIRE(shutdown(relay.client.theirs.get(), SHUT_WR) == 0);
  std::string question;
  std::jthread provider([&] {
    question = receive_to_end(relay.provider.theirs);  // sees the client's FIN
    send_all(relay.provider.theirs, "answer");
    relay.provider.theirs.reset();
  });
  CHECK(relay.ground.until([&] { return relay.state == Pump::State::finished; }));
  provider.join();
  CHECK(question == "question");
  CHECK(receive_available(relay.client.theirs) == "answer");
  CHECK(relay.pump.left_to_right() == 8);
  CHECK(relay.pump.right_to_left() == 6);
}

TEST_CASE("pump: 40 MB each way at the same time arrive unchanged") {
  Relay relay;
  constexpr size_t blocks = 40;
  const std::string block = pattern(1'000'000);
  auto pour = [&](const Fd& socket) {
    for (size_t i = 0; i < blocks; ++i) send_all(socket, block);
    shutdown(socket.get(), SHUT_WR);
  };
  auto drink = [&](const Fd& socket, size_t& good) {
    std::string all = receive_to_end(socket);
    for (size_t i = 0; i < blocks && all.size() == blocks * block.size(); ++i)
      good += std::string_view(all).substr(i * block.size(), block.size()) == block ? 1 : 0;
  };
  size_t good_at_client = 0;
  size_t good_at_provider = 0;
  std::vector<std::jthread> peers;
  peers.emplace_back([&] { pour(relay.client.theirs); });
  peers.emplace_back([&] { pour(relay.provider.theirs); });
  peers.emplace_back([&] { drink(relay.client.theirs, good_at_client); });
  peers.emplace_back([&] { drink(relay.provider.theirs, good_at_provider); });
  CHECK(relay.ground.until([&] { return relay.state == Pump::State::finished; }));
  peers.clear();
  CHECK(good_at_client == blocks);
  CHECK(good_at_provider == blocks);
}

TEST_CASE("pump: a receiver that does not read stops the sender") {
  Relay relay;
  std::atomic<size_t> sent = 0;
  std::jthread client([&] {
    std::string block = pattern(1'000'000);
    for (int i = 0; i < 200; ++i) {
      if (send(relay.client.theirs.get(), block.data(), block.size(), MSG_NOSIGNAL) <= 0) return;
      sent += block.size();
    }
  });
  size_t before = 1;
  CHECK(relay.ground.until([&, quiet = 0]() mutable {
    quiet = sent == before ? quiet + 1 : 0;
    before = sent;
    return quiet > 40;
  }));
  CHECK(sent < 200'000'000);
  CHECK(relay.right->unsent() + relay.left->input_bytes() < 8u << 20);
  abort_connection(relay.provider.theirs);
  CHECK(relay.ground.until([&] { return relay.state == Pump::State::right_failed; }));
  relay.left->reset_on_close();  // sets the client free
  relay.left.reset();
  relay.ground.settle();
}

TEST_CASE("pump: tells who reset, after delivering what that side had sent") {
  SUBCASE("left") {
    Relay relay;
    send_all(relay.client.theirs, "last words");
    CHECK(relay.ground.until([&] { return relay.pump.left_to_right() == 10; }));
    abort_connection(relay.client.theirs);
    CHECK(relay.ground.until([&] { return relay.state == Pump::State::left_failed; }));
    CHECK(receive_available(relay.provider.theirs) == "last words");
  }
  SUBCASE("right") {
    Relay relay;
    send_all(relay.provider.theirs, "last words");
    CHECK(relay.ground.until([&] { return relay.pump.right_to_left() == 10; }));
    abort_connection(relay.provider.theirs);
    CHECK(relay.ground.until([&] { return relay.state == Pump::State::right_failed; }));
    CHECK(receive_available(relay.client.theirs) == "last words");
  }
}
