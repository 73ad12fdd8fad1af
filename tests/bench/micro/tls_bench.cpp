// Times two TLS engines that are coupled in memory: one core does the work of both sides.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "agent/net/tls_context.h"
#include "tests/net/certificates.h"

using namespace lunar;

namespace {

struct Pair {
  std::unique_ptr<TlsEngine> client;
  std::unique_ptr<TlsEngine> server;
};

// What `from` has for `to`; returns the plaintext bytes that came out.
size_t carry(TlsEngine& from, TlsEngine& to) {
  static std::array<char, 16 * 1024> window;
  size_t plaintext = 0;
  std::string_view bytes = from.output();
  size_t size = bytes.size();
  for (size_t count = window.size(); count == window.size(); plaintext += count) count = to.read(bytes, window);
  from.sent(size);
  return plaintext;
}

class Bench {
 public:
  Bench(TlsVersion version, bool resuming) : servers_(taken(TlsServerContext::create({version, version}))) {
    TlsClientContext::Settings settings;
    settings.verify = false;
    settings.versions = {version, version};
    settings.sessions.keys = resuming ? 1 : 0;
    clients_ = std::make_unique<TlsClientContext>(taken(TlsClientContext::create(settings)));
  }

  Pair shake_hands() {
    Pair out{taken(clients_->connect({"api.example.com", {"h2"}, "443", test::now()})),
             taken(servers_.accept({"api.example.com", credentials(), "h2"}))};
    while (!out.client->output().empty() || !out.server->output().empty()) {
      carry(*out.client, *out.server);
      carry(*out.server, *out.client);
    }
    return out;
  }

 private:
  template <class T>
  static T taken(Result<T> result) {
    if (result) return std::move(*result);
    std::fprintf(stderr, "%s\n", result.error().text.c_str());
    std::exit(1);
  }
  static const std::shared_ptr<const TlsCredentials>& credentials() {
    static const test::Issued leaf =
        test::issue({.common_name = "api", .alternative_names = "DNS:api.example.com"}, nullptr);
    static const auto made = leaf.credentials();
    return made;
  }

  TlsServerContext servers_;
  std::unique_ptr<TlsClientContext> clients_;
};

// The best of several rounds.
template <class Work>
double microseconds(int repeats, Work work) {
  double best = 1e9;
  for (int round = 0; round < 10; ++round) {
    auto begin = std::chrono::steady_clock::now();
    for (int i = 0; i < repeats; ++i) work();
    std::chrono::duration<double, std::micro> spent = std::chrono::steady_clock::now() - begin;
    best = std::min(best, spent.count() / repeats);
  }
  return best;
}

void print_handshakes(TlsVersion version, const char* name) {
  Bench full(version, false);
  Bench resumed(version, true);
  resumed.shake_hands();
  double full_cost = microseconds(200, [&] { full.shake_hands(); });
  double resumed_cost = microseconds(200, [&] { resumed.shake_hands(); });
  bool was_resumed = resumed.shake_hands().client->facts().resumed;
  std::printf("%s handshake of both sides: full %.0f us, resumed %.0f us%s\n", name, full_cost, resumed_cost,
              was_resumed ? "" : " (was not resumed)");
}

void print_records(size_t size) {
  Bench bench(TlsVersion::v1_3, false);
  Pair pair = bench.shake_hands();
  std::string plaintext(size, 'x');
  size_t arrived = 0;
  double cost = microseconds(5000, [&] {
    static_cast<void>(pair.client->write(plaintext));
    arrived += carry(*pair.client, *pair.server);
  });
  std::printf("a record of %zu bytes, sealed and opened: %.2f us (%.2f s per GB; %zu bytes arrived)\n", size, cost,
              cost / static_cast<double>(size) * 1e3, arrived);
}

}  // namespace

int main() {
  print_handshakes(TlsVersion::v1_2, "TLS 1.2");
  print_handshakes(TlsVersion::v1_3, "TLS 1.3");
  for (size_t size : {100UL, 1024UL, 16384UL}) print_records(size);
}
