// A gateway whose flows a test wrote, with what they leave for metrics and exporters.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <iterator>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/flowengine/flows/flow_scene.h"
#include "tests/gateway/peers.h"

namespace lunar::test {

class FlowGateway {
 public:
  struct Parts {
    ProxyGateway::Adjust adjust;
    DomainLists domains;
    Fd scripts;  // connected to a script host; none: no script can run
  };

  explicit FlowGateway(const FlowScene& scene) : FlowGateway(scene, Parts()) {}
  FlowGateway(const FlowScene& scene, Parts parts)
      : proxy_(parts.adjust, std::move(parts.domains), flow_parts(std::move(parts.scripts))) {
    load(scene);
  }

  // Requests that begin from now on run by these flows.
  void load(const FlowScene& scene) { proxy_.gateway().set_plan(scene.plan()); }
  [[nodiscard]] Wire client() const { return proxy_.client(); }
  [[nodiscard]] gateway::Gateway& gateway() { return proxy_.gateway(); }

  // What the flows of the next attempt that has ended left; waits up to 10 s. An attempt that left nothing comes when
  // no other is there.
  FlowRecord next_record() {
    REQUIRE(eventually([this] {
      records_.take(batch_);
      std::ranges::move(batch_.records, std::back_inserter(taken_));
      for (const auto& [kind, tally] : batch_.tallies) ended_ += most_runs(tally);
      return ended_ > 0;
    }));
    --ended_;
    if (taken_.empty()) return {};
    FlowRecord first = std::move(taken_.front());
    taken_.erase(taken_.begin());
    return first;
  }

 private:
  gateway::GatewayParts flow_parts(Fd scripts) {
    gateway::GatewayParts out{.script_sockets = {}, .records = &records_};
    if (scripts) out.script_sockets.push_back(std::move(scripts));
    return out;
  }

  FlowRecordQueue records_{[] {}};
  static uint64_t most_runs(const FlowTally& tally) {
    uint64_t most = 0;
    for (const auto& [flow, use] : tally.flows) most = std::max(most, use.runs);
    return most;
  }

  FlowRecordQueue::Batch batch_;
  std::vector<FlowRecord> taken_;
  uint64_t ended_ = 0;  // attempts that next_record() has not told of
  ProxyGateway proxy_;
};

template <class Kind>
std::vector<Kind> emissions_of(const FlowRecord& record) {
  std::vector<Kind> out;
  for (const Emission& one : record.emissions)
    if (const auto* found = std::get_if<Kind>(&one)) out.push_back(*found);
  return out;
}

// Views of bodies that flows asked for and did not get: "request size response coding".
inline std::string skipped_views(const FlowRecord& record) {
  std::string out;
  for (const auto& one : emissions_of<emission::BodyViewSkipped>(record))
    out += (out.empty() ? "" : " ") + std::string(one.response ? "response " : "request ") + one.reason;
  return out;
}

struct Received {
  std::string head, body;

  // The value of a field, without regard to case; nothing: it is not there.
  [[nodiscard]] std::optional<std::string> field(std::string_view name) const {
    std::string_view rest = head;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find("\r\n"));
      rest.remove_prefix(std::min(line.size() + 2, rest.size()));
      const size_t colon = line.find(": ");
      if (colon != std::string_view::npos && equal_ignoring_case(line.substr(0, colon), name))
        return std::string(line.substr(colon + 2));
    }
    return std::nullopt;
  }
};

// One message whose body has a Content-Length, or none.
inline Received receive_message(Wire& wire) {
  Received out{.head = wire.receive_until("\r\n\r\n"), .body = {}};
  if (auto length = out.field("content-length")) out.body = wire.receive(std::stoul(*length));
  return out;
}

// `POST /path`, further complete field lines, a body.
inline std::string request_to(const Endpoint& provider, std::string_view line, std::string_view fields = "",
                              std::string_view body = "") {
  const size_t space = line.find(' ');
  std::string out(line.substr(0, space));
  out.append(" http://").append(provider.text()).append(line.substr(space + 1)).append(" HTTP/1.1\r\n").append(fields);
  if (!body.empty()) out.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
  return out.append("\r\n").append(body);
}

inline std::string answer_with(std::string_view body, std::string_view fields = "",
                               std::string_view status = "200 OK") {
  std::string out = "HTTP/1.1 ";
  out.append(status).append("\r\nContent-Length: ").append(std::to_string(body.size())).append("\r\n").append(fields);
  return out.append("\r\n").append(body);
}

// Answers the requests that it gets, the last answer again and again, and keeps them.
class AnsweringProvider {
 public:
  explicit AnsweringProvider(std::vector<std::string> answers)
      : answers_(std::move(answers)), provider_([this](Wire& wire, int) { serve(wire); }) {}

  [[nodiscard]] const Endpoint& address() const { return provider_.address(); }
  [[nodiscard]] size_t requests() {
    std::lock_guard lock(mutex_);
    return got_.size();
  }
  // The n-th, from 0, which has come.
  [[nodiscard]] Received request(size_t number) {
    std::lock_guard lock(mutex_);
    REQUIRE(number < got_.size());
    return got_[number];
  }

 private:
  void serve(Wire& wire) {
    for (;;) {
      Received one = receive_message(wire);
      if (!one.head.ends_with("\r\n\r\n")) return;
      wire.send(keep(std::move(one)));
    }
  }
  const std::string& keep(Received one) {
    std::lock_guard lock(mutex_);
    got_.push_back(std::move(one));
    return answers_[std::min(got_.size(), answers_.size()) - 1];
  }

  const std::vector<std::string> answers_;
  std::mutex mutex_;
  std::vector<Received> got_;
  Provider provider_;
};

// A step of a flow's connections: from one end to another, each `start`, `end` or PROCESSOR[:output].
inline std::string edge(std::string_view from, std::string_view to) {
  auto end = [](std::string_view name) {
    const std::string text(name.substr(0, name.find(':')));
    if (text == "start" || text == "end") return "{stream: {name: s, at: " + text + "}}";
    const std::string output = name.contains(':') ? ", condition: " + std::string(name.substr(text.size() + 1)) : "";
    return "{processor: {name: " + text + output + "}}";
  };
  return "{from: " + end(from) + ", to: " + end(to) + "}";
}

// A declaration of a processor that sets one member of a message.
inline std::string setting(std::string_view key, std::string_view target, std::string_view value) {
  return std::string(key) + ": {processor: TransformAPICall, parameters: [{key: set, value: {$." + std::string(target) +
         ": " + std::string(value) + "}}]}, ";
}

}  // namespace lunar::test
