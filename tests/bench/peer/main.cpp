// bench_peer: load generator and origin in one process and one event loop, so that one core is theirs and the other
// one is the gateway's. It takes orders, one JSON object a line, on standard input and answers each with one line.
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "tests/bench/peer/load.h"

namespace lunar::bench {

namespace {

using nlohmann::json;

class Orders final : public Watcher {
 public:
  explicit Orders(Reactor& reactor) { reactor.add(STDIN_FILENO, EPOLLIN, *this); }

  void ready(uint32_t /*events*/) override {
    char bytes[4096];
    ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
    if (count <= 0) {
      ended_ = true;
      return;
    }
    pending_.append(bytes, static_cast<size_t>(count));
  }

  [[nodiscard]] bool ended() const { return ended_; }

  bool take(std::string& line) {
    size_t end = pending_.find('\n');
    if (end == std::string::npos) return false;
    line = pending_.substr(0, end);
    pending_.erase(0, end + 1);
    return true;
  }

 private:
  std::string pending_;
  bool ended_ = false;
};

Order parse_order(const json& text) {
  Order order;
  std::optional<Endpoint> target = Endpoint::parse(text.at("target").get<std::string>());
  if (!target) throw std::runtime_error("a target that is no address and port");
  order.target = *target;
  order.connections = text.value("connections", order.connections);
  order.rate = text.value("rate", order.rate);
  order.warm_up = std::chrono::milliseconds(text.value("warm_up_ms", 0));
  order.measure = std::chrono::milliseconds(text.value("measure_ms", 0));
  order.body_size = text.value("body_size", order.body_size);
  order.all_at_once = text.value("all_at_once", false);
  if (auto tls = text.find("tls"); tls != text.end()) {
    order.tls = TlsTrust{tls->at("authority").get<std::string>(), tls->at("host").get<std::string>()};
  }
  order.gateway = text.value("gateway", order.gateway);
  return order;
}

json report(const Figures& figures) {
  return {{"requests", figures.requests},
          {"errors", figures.errors},
          {"first_error", figures.first_error},
          {"seconds", figures.seconds},
          {"gateway_cpu", figures.gateway_cpu},
          {"peer_cpu", figures.peer_cpu},
          {"redirected", figures.redirected},
          {"provider_handshakes", figures.provider.all},
          {"provider_resumed", figures.provider.resumed},
          {"p50_ns", figures.p50},
          {"p99_ns", figures.p99},
          {"p999_ns", figures.p999}};
}

std::unique_ptr<Load> make_load(Bench& bench, const std::string& kind, const Order& order) {
  if (kind == "closed") return closed_load(bench, order);
  if (kind == "open") return open_load(bench, order);
  if (kind == "churn") return churn_load(bench, order);
  if (kind == "bulk") return bulk_load(bench, order);
  if (kind == "idle") return idle_load(bench, order);
  throw std::runtime_error("no such load: " + kind);
}

// Until the last gateway's connections are gone: a ring of an ended process is taken down a good while later.
json wait_for_silence(Bench& bench) {
  MonotonicTime limit = monotonic_now() + std::chrono::seconds(10);
  auto open = [&bench] { return bench.origin.open() + bench.tls_origin.open(); };
  while (open() > 0 && monotonic_now() < limit) bench.reactor.poll(std::chrono::milliseconds(100));
  return {{"open", open()}};
}

// An idle load keeps its connections until it is released; every other one is over with its answer.
json obey(Bench& bench, std::unique_ptr<Load>& held, const json& text) {
  std::string kind = text.at("load").get<std::string>();
  if (kind == "silence") return wait_for_silence(bench);
  if (kind == "release") {
    if (!held) throw std::runtime_error("nothing is held");
    json answer = report(held->finish());
    held.reset();
    return answer;
  }
  std::unique_ptr<Load> load = make_load(bench, kind, parse_order(text));
  json answer = report(load->run());
  if (kind == "idle") held = std::move(load);
  return answer;
}

struct Place {
  const char* netns;
  Endpoint clear;
  Endpoint tls;
  TlsIdentity identity;
};

int serve(const Place& place) {
  Reactor reactor;
  Pattern pattern;
  TlsContext tls(place.identity);
  Origin origin(reactor, pattern, place.netns, place.clear, nullptr);
  Origin tls_origin(reactor, pattern, place.netns, place.tls, &tls);
  Bench bench{reactor, pattern, origin, tls_origin};
  Orders orders(reactor);
  std::unique_ptr<Load> held;
  std::puts(R"({"ready": true})");
  std::fflush(stdout);
  for (std::string line; !orders.ended(); reactor.poll(std::chrono::nanoseconds(-1))) {
    while (orders.take(line)) {
      std::puts(obey(bench, held, json::parse(line)).dump().c_str());
      std::fflush(stdout);
    }
  }
  return 0;
}

}  // namespace

}  // namespace lunar::bench

int main(int argc, char** argv) {
  auto address = [&](int i) { return argc == 5 ? lunar::Endpoint::parse(argv[i]) : std::nullopt; };
  std::optional<lunar::Endpoint> clear = address(2);
  std::optional<lunar::Endpoint> tls = address(3);
  if (!clear || !tls) {
    std::fputs("usage: bench_peer ORIGIN-NETNS-PATH ADDRESS:PORT TLS-ADDRESS:PORT CERTIFICATE-AND-KEY\n", stderr);
    return 2;
  }
  signal(SIGPIPE, SIG_IGN);
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  try {
    return lunar::bench::serve({argv[1], *clear, *tls, {argv[4]}});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "bench_peer: %s\n", error.what());
    return 1;
  }
}
