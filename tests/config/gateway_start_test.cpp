#include "agent/config/gateway_start.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "agent/config/load.h"
#include "agent/config/option.h"

using namespace lunar;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

GatewayStart usual_start() {
  GatewayStart start;
  start.config =
      resolve_config({}, {{"LUNAR_API_KEY", "k"}}, "tenant: t\ncapture: {allow_list: [a, b]}\nworkers: 2\n").config;
  start.version = "1.2.3";
  start.instance_id = "gateway-x";
  start.workers = 2;
  start.listeners = {{ListenerRole::worker, 1, Endpoint::parse("127.77.1.1:4000")},
                     {ListenerRole::proxy, 0, Endpoint::parse("[::1]:8000")},
                     {ListenerRole::internal_control, 0, std::nullopt}};
  start.maps = {"origins", "heartbeats"};
  start.program_lookup = true;
  start.minting = true;
  return start;
}

}  // namespace

TEST_CASE("start message: arrives as it was sent") {
  GatewayStart sent = usual_start();
  auto received = gateway_start_from_json(json::parse(to_json(sent).dump()));
  REQUIRE(received);
  CHECK(received->version == "1.2.3");
  CHECK(received->instance_id == "gateway-x");
  CHECK(received->workers == 2);
  CHECK(received->listeners == sent.listeners);
  CHECK(received->maps == sent.maps);
  CHECK(received->program_lookup);
  CHECK(received->minting);
  sent.minting = false;
  CHECK_FALSE(gateway_start_from_json(json::parse(to_json(sent).dump()))->minting);
  for (const Option& option : option_table()) {
    CAPTURE(option.path);
    CHECK(option_value(option, received->config) == option_value(option, sent.config));
  }
}

TEST_CASE("start message: the gateway learns which TLS it opens, and how") {
  constexpr std::string_view yaml = R"(tls:
  intercept: ["*.example.com:443 unit=shop.service", "[2001:db8::1]:8443"]
  passthrough: [bank.example.com]
  ca_dir: /srv/ca
  leaf_lifetime: 24h
  leaf_cache: 16
  session_cache: 0
  min_version: 1.3
  untrusted_for: 90s
  handshake_timeout: 2s
)";
  GatewayStart sent = usual_start();
  sent.config = resolve_config({}, {}, yaml).config;
  auto received = gateway_start_from_json(json::parse(to_json(sent).dump()));
  REQUIRE(received);
  const TlsConfig& tls = received->config.tls;
  CHECK(tls.intercept == std::vector<std::string>{"*.example.com:443 unit=shop.service", "[2001:db8::1]:8443"});
  CHECK(tls.passthrough == std::vector<std::string>{"bank.example.com"});
  CHECK(tls.ca_dir == "/srv/ca");
  CHECK(tls.leaf_lifetime == 24h);
  CHECK(tls.leaf_cache == 16);
  CHECK(tls.session_cache == 0);
  CHECK(tls.min_version == LowestTls::tls13);
  CHECK(tls.untrusted_for == 90s);
  CHECK(tls.handshake_timeout == 2s);
}

TEST_CASE("start message: tells which descriptor is which") {
  GatewayStart start = usual_start();
  CHECK(start.fd_count() == 7);
  CHECK(start.map_position(map_name::origins) == 3);
  CHECK(start.map_position(map_name::heartbeats) == 4);
  CHECK_FALSE(start.map_position(map_name::unreachable));
  CHECK(start.program_lookup_position() == 5);
  CHECK(start.minting_position() == 6);
  start.program_lookup = false;
  CHECK_FALSE(start.program_lookup_position());
  CHECK(start.minting_position() == 5);
  CHECK(start.fd_count() == 6);
  start.minting = false;
  CHECK_FALSE(start.minting_position());
  CHECK(start.fd_count() == 5);
}

TEST_CASE("start message: every role has a name that is read back") {
  for (auto role : {ListenerRole::worker, ListenerRole::proxy, ListenerRole::connect, ListenerRole::tls,
                    ListenerRole::health, ListenerRole::admin, ListenerRole::metrics, ListenerRole::internal_control}) {
    std::vector<ListenerDescriptor> sent{{role, 3, Endpoint::parse("127.0.0.1:1")}};
    CHECK(to_json(sent)[0]["role"] == listener_role_name(role));
    CHECK(listeners_from_json(to_json(sent)).value() == sent);
  }
}

TEST_CASE("start message: what it does not understand is refused") {
  json good = to_json(usual_start());
  auto refused = [&](auto change) {
    json bad = good;
    change(bad);
    return !gateway_start_from_json(bad).has_value();
  };
  CHECK(refused([](json& m) { m["type"] = "drain"; }));
  CHECK(refused([](json& m) { m.erase("type"); }));
  CHECK(refused([](json& m) { m.erase("workers"); }));
  CHECK(refused([](json& m) { m["workers"] = "two"; }));
  CHECK(refused([](json& m) { m.erase("minting"); }));
  CHECK(refused([](json& m) { m["settings"]["no.such"] = "x"; }));
  CHECK(refused([](json& m) { m["settings"]["backups"] = "many"; }));
  CHECK(refused([](json& m) { m["settings"]["backups"] = 5; }));
  CHECK(refused([](json& m) { m["listeners"][0]["role"] = "spy"; }));
  CHECK(refused([](json& m) { m["listeners"][0]["address"] = "nowhere"; }));
  CHECK(refused([](json& m) { m["listeners"][0].erase("worker"); }));
  CHECK(refused([](json& m) { m = json::array(); }));
}
