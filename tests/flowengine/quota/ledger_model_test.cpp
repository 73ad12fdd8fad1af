// The ledger against a model that remembers every admission, over random traffic.
#include <map>

#include "tests/flowengine/quota/quota_scene.h"

using namespace lunar;

namespace {

class Dice {
 public:
  explicit Dice(uint64_t seed) : state_(seed) {}
  uint64_t below(uint64_t bound) {
    state_ = state_ * 6364136223846793005ULL + 1442695040888963407ULL;
    return (state_ >> 33) % bound;
  }

 private:
  uint64_t state_;
};

// What the text of §8.2 says, with no thought of speed: admissions of a window are those since it opened.
struct Model {
  struct Node {
    int64_t max;
    std::chrono::nanoseconds length;
    bool grouped;
  };
  struct State {
    std::vector<std::pair<SteadyTime, int64_t>> counted;
    SteadyTime opened = SteadyTime::min();
  };

  int64_t used(const Node& node, State& state, SteadyTime now) const {
    if (state.counted.empty() || state.opened + node.length <= now) return 0;
    int64_t sum = 0;
    for (auto& [when, amount] : state.counted) sum += when >= state.opened ? amount : 0;
    return sum;
  }
  bool acquire(const std::vector<Claim>& chain, SteadyTime now) {
    for (const Claim& claim : chain)
      if (used(nodes[claim.node], at(claim), now) + claim.amount > nodes[claim.node].max) return false;
    for (const Claim& claim : chain) {
      State& state = at(claim);
      if (state.counted.empty() || state.opened + nodes[claim.node].length <= now) {
        state.counted.clear();
        state.opened = now;
      }
      state.counted.emplace_back(now, claim.amount);
    }
    return true;
  }
  State& at(const Claim& claim) {
    return states[{claim.node, nodes[claim.node].grouped ? std::string(claim.group) : ""}];
  }

  std::vector<Node> nodes;
  std::map<std::pair<uint32_t, std::string>, State> states;
};

}  // namespace

TEST_CASE("ledger: decides as the model does, never more than max and never fewer while there is demand") {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    Dice dice(seed);
    QuotaSet set;
    Model model;
    for (uint32_t i = 0; i < 5; ++i) {
      auto max = static_cast<int64_t>(1 + dice.below(12));
      auto seconds = static_cast<int64_t>(1 + dice.below(9));
      bool grouped = dice.below(2) == 0;
      std::optional<uint32_t> parent;
      if (i > 0) parent = static_cast<uint32_t>(dice.below(i));
      FixedWindow window = per(max, seconds, Unit::second);
      window.counter = Counter::request;
      set.nodes.push_back({"N" + std::to_string(i), parent, window, grouped ? "x-team" : ""});
      model.nodes.push_back({max, std::chrono::seconds(seconds), grouped});
    }
    QuotaScene scene(set);
    const std::string groups[] = {"a", "b", "c", "d"};
    int wrong = 0, admitted = 0;
    for (int step = 0; step < 3000; ++step) {
      scene.pass(std::chrono::nanoseconds(dice.below(4) * dice.below(400'000'000)));
      auto chain = scene.chain(static_cast<uint32_t>(dice.below(5)), static_cast<int64_t>(1 + dice.below(3)),
                               groups[dice.below(4)]);
      bool expected = model.acquire(chain, scene.now.steady);
      Verdict verdict = scene.ledger.acquire(scene.binding, chain, TransactionId{1}, scene.now);
      wrong += static_cast<bool>(verdict) == expected ? 0 : 1;
      admitted += expected ? 1 : 0;
      if (verdict.kind != Verdict::Kind::refused) continue;
      // Not before the instant that it names, by the model.
      Model later = model;
      wrong += later.acquire(chain, verdict.earliest - 1ns) ? 1 : 0;
      wrong += later.acquire(chain, verdict.earliest) ? 0 : 1;
    }
    CHECK_MESSAGE(wrong == 0, seed);
    CHECK(admitted > 100);
  }
}

TEST_CASE("ledger: slots are never more than the maximum, and free ones are always given") {
  Dice dice(99);
  QuotaScene scene({{{"S", {}, Concurrent{7, 5s, 30s}, ""}}});
  std::map<uint64_t, SteadyTime> live;
  for (int step = 0; step < 20'000; ++step) {
    scene.pass(std::chrono::milliseconds(dice.below(800)));
    std::erase_if(live, [&](auto& slot) { return slot.second + 5s <= scene.now.steady; });
    uint64_t who = dice.below(20);
    if (dice.below(3) == 0) {
      REQUIRE(Ledger::release(scene.binding, 0, TransactionId{who}, scene.now) == (live.erase(who) == 1));
      continue;
    }
    bool expected = live.contains(who) || live.size() < 7;
    REQUIRE(static_cast<bool>(scene.acquire_as(TransactionId{who})) == expected);
    if (expected) live.emplace(who, scene.now.steady);
  }
}
