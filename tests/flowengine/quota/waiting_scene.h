// Clients that wait for quotas.
#pragma once

#include <algorithm>
#include <deque>

#include "flowengine/quota/waiting_lines.h"
#include "tests/flowengine/quota/quota_scene.h"

namespace lunar {

struct Client {
  uint32_t node = 0;
  int64_t priority = 0;
  std::string_view key = "Line", group = default_group;
  int64_t amount = 1;
  std::string_view quota_group = default_group;
  int64_t queue_size = 100;
  std::chrono::nanoseconds ttl = 1h;
};

struct WaitingScene : QuotaScene {
  explicit WaitingScene(QuotaSet set) : QuotaScene(std::move(set)), lines(ledger) {}

  Answer arrive(const Client& client) {
    auto claims = chain(client.node, client.amount, client.quota_group);
    last = TransactionId{++transactions};
    return lines.arrive({.flow = "flow",
                         .key = client.key,
                         .group = client.group,
                         .queue_size = client.queue_size,
                         .ttl = client.ttl,
                         .priority = client.priority,
                         .binding = binding,
                         .chain = claims,
                         .transaction = last},
                        now);
  }
  bool admits(const Client& client = {}) { return arrive(client).kind == Answer::Kind::admitted; }
  Ticket waits(const Client& client = {}) {
    Answer answer = arrive(client);
    CHECK(answer.kind == Answer::Kind::waits);
    return answer.ticket;
  }
  bool blocked(const Client& client) { return arrive(client).kind == Answer::Kind::blocked; }

  // Lets time pass, waking at the instants that are asked for and at no others.
  void run(std::chrono::nanoseconds time) {
    SteadyTime end = now.steady + time;
    while (auto next = lines.next_wake()) {
      if (*next > end) break;
      if (*next > now.steady) pass(*next - now.steady);
      wake();
    }
    pass(end - now.steady);
  }
  void wake() {
    for (const Settled& one : lines.wake(now)) settled.push_back(one);
  }
  // Those who were admitted since the last look, in order.
  std::vector<Ticket> take(Settled::Outcome outcome = Settled::Outcome::admitted) {
    std::vector<Ticket> tickets;
    for (const Settled& one : settled)
      if (one.outcome == outcome) tickets.push_back(one.ticket);
    std::erase_if(settled, [outcome](const Settled& one) { return one.outcome == outcome; });
    return tickets;
  }

  WaitingLines lines;
  std::vector<Settled> settled;
  TransactionId last{};
};

using Tickets = std::vector<Ticket>;

}  // namespace lunar
