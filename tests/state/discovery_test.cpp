#include "agent/state/discovery.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/state/directory.h"

using namespace lunar;
using nlohmann::json;
using namespace std::chrono_literals;

namespace {

constexpr WallTime noon{1'749'556'800s};  // 2025-06-10T12:00:00Z

CallView a_call(std::string_view path, std::string_view host = "api.example.com") {
  CallView call;
  call.method = "GET";
  call.host = host;
  call.port = 443;
  call.path = path;
  call.status = 200;
  call.interceptor = "lunar-direct/0";
  call.started = noon;
  call.total_ms = 20;
  call.provider_ms = 10;
  return call;
}

json state_of(const Discovery& discovery) { return json::parse(discovery.text()); }

std::vector<std::string> endpoints_of(const Discovery& discovery) {
  std::vector<std::string> out;
  const json state = state_of(discovery);
  for (const auto& [key, stats] : state.at("endpoints").items()) out.push_back(key);
  return out;
}

using Keys = std::vector<std::string>;

Plan plan_with(std::initializer_list<const char*> patterns) {
  Plan plan;
  for (const char* pattern : patterns) plan.known_paths.push_back(UrlPattern::parse(pattern).value());
  return plan;
}

void call_numbers(Discovery& discovery, const std::string& before, int count, const std::string& behind = "") {
  for (int i = 0; i < count; ++i) discovery.add(a_call(before + std::to_string(i) + behind));
}

}  // namespace

TEST_CASE("discovery: has the members that the console reads") {
  Discovery discovery(noon);
  CallView call = a_call("/orders");
  discovery.add(call);
  call.started = noon + 1500ms;
  call.status = 503;
  call.total_ms = 40;
  call.provider_ms = std::nullopt;
  call.consumer_tag = "shop";
  discovery.add(call);
  const json all = {{"min_time", "2025-06-10T12:00:00.000Z"},
                    {"max_time", "2025-06-10T12:00:01.500Z"},
                    {"count", 2},
                    {"status_codes", {{"200", 1}, {"503", 1}}},
                    {"average_duration", 5.0},
                    {"average_total_duration", 30.0}};
  const json state = state_of(discovery);
  CHECK(state.at("created_at") == "2025-06-10T12:00:00.000Z");
  CHECK(state.at("interceptors") ==
        json::array(
            {{{"type", "lunar-direct"}, {"version", "0"}, {"last_transaction_date", "2025-06-10T12:00:01.500Z"}}}));
  CHECK(state.at("endpoints") == json{{"GET:::api.example.com/orders", all}});
  CHECK(state.at("consumers").size() == 2);
  CHECK(state.at("consumers").at("shop").at("GET:::api.example.com/orders").at("count") == 1);
  CHECK(state.at("consumers").at("N/A").at("GET:::api.example.com/orders").at("status_codes") == json{{"200", 1}});
}

TEST_CASE("discovery: paths are read as patterns read them, and a root has its slash") {
  Discovery discovery(noon);
  for (const char* path : {"/", "", "/a//b/", "/a/./b", "/a/b"}) discovery.add(a_call(path));
  CHECK(endpoints_of(discovery) == Keys{"GET:::api.example.com/", "GET:::api.example.com/a/b"});
}

TEST_CASE("discovery: fifty values of a position are values, fifty-one are a parameter") {
  Discovery discovery(noon);
  call_numbers(discovery, "/orders/", 50);
  CHECK(endpoints_of(discovery).size() == 50);
  call_numbers(discovery, "/orders/", 50);
  CHECK(endpoints_of(discovery).size() == 50);
  discovery.add(a_call("/orders/new"));
  CHECK(endpoints_of(discovery) == Keys{"GET:::api.example.com/orders/{_param_1}"});
  CHECK(state_of(discovery).at("endpoints").at("GET:::api.example.com/orders/{_param_1}").at("count") == 101);
  discovery.add(a_call("/orders/later"));
  CHECK(endpoints_of(discovery).size() == 1);
}

TEST_CASE("discovery: what is behind a parameter is united, and parameters are numbered along the path") {
  Discovery discovery(noon);
  for (int i = 0; i < 51; ++i) {
    const std::string order = "/orders/" + std::to_string(i);
    discovery.add(a_call(order));
    discovery.add(a_call(order + "/items"));
    discovery.add(a_call(order + "/items/" + std::to_string(i)));
  }
  CHECK(endpoints_of(discovery) == Keys{"GET:::api.example.com/orders/{_param_1}",
                                        "GET:::api.example.com/orders/{_param_1}/items",
                                        "GET:::api.example.com/orders/{_param_1}/items/{_param_2}"});
  const json state = state_of(discovery);
  for (const auto& [key, stats] : state.at("endpoints").items()) CHECK(stats.at("count") == 51);
  for (const auto& [key, stats] : state.at("consumers").at("N/A").items()) CHECK(stats.at("count") == 51);
}

TEST_CASE("discovery: known paths come first, and do not count as values") {
  Discovery discovery(noon);
  discovery.set_plan(plan_with({"api.example.com/users/{id}", "api.example.com/users/me", "*/files/{name}/*"}));
  call_numbers(discovery, "/users/", 60);
  discovery.add(a_call("/users/me"));
  discovery.add(a_call("/files/x/a/b"));
  discovery.add(a_call("/users/1/pets"));
  CHECK(endpoints_of(discovery) == Keys{"GET:::api.example.com/files/{name}/a/b", "GET:::api.example.com/users/1/pets",
                                        "GET:::api.example.com/users/me", "GET:::api.example.com/users/{id}"});
}

TEST_CASE("discovery: what was called before its pattern was known stays one endpoint") {
  Discovery discovery(noon);
  call_numbers(discovery, "/users/me", 1);
  call_numbers(discovery, "/v", 49);
  discovery.set_plan(plan_with({"api.example.com/users/me0", "api.example.com/v0/{x}"}));
  call_numbers(discovery, "/users/me", 1);
  call_numbers(discovery, "/v", 49, "/1");
  CHECK(state_of(discovery).at("endpoints").at("GET:::api.example.com/users/me0").at("count") == 2);
  CHECK(endpoints_of(discovery).size() == 99);
  call_numbers(discovery, "/w", 3);  // 48 of v are values
  const json state = state_of(discovery);
  CHECK(state.at("endpoints").size() == 5);
  CHECK(state.at("endpoints").at("GET:::api.example.com/v0/{x}").at("count") == 1);
  CHECK(state.at("endpoints").at("GET:::api.example.com/v0").at("count") == 1);
  CHECK(state.at("endpoints").at("GET:::api.example.com/{_param_1}").at("count") == 51);
  CHECK(state.at("endpoints").at("GET:::api.example.com/{_param_1}/1").at("count") == 48);
}

TEST_CASE("discovery: values that look like parameters are none") {
  Discovery discovery(noon);
  for (int i = 0; i < 60; ++i) discovery.add(a_call("/a/{" + std::to_string(i) + "}"));
  discovery.add(a_call("/b/{_param_1}"));
  CHECK(endpoints_of(discovery) == Keys{"GET:::api.example.com/a/{_param_1}", "GET:::api.example.com/b/%7B_param_1}"});
}

TEST_CASE("discovery: interceptors are listed by type and version") {
  Discovery discovery(noon);
  for (const char* interceptor : {"lunard-hook/0.1.0", "py/1", "py/2", "nonsense", "/", ""}) {
    CallView call = a_call("/");
    call.interceptor = interceptor;
    discovery.add(call);
  }
  const json list = state_of(discovery).at("interceptors");
  REQUIRE(list.size() == 4);
  CHECK(list[3].at("type") == "unknown");
  CHECK(list[3].at("version") == "unknown");
}

TEST_CASE("discovery: survives a restart, parameters included, and goes on from there") {
  const Directory directory;
  const std::string path = directory.file(std::string(Discovery::file_name).c_str());
  Discovery before(noon);
  before.set_plan(plan_with({"api.example.com/users/{id}"}));
  call_numbers(before, "/orders/", 60, "/items");
  call_numbers(before, "/users/", 3);
  before.add(a_call("/", "2001:db8::1"));
  REQUIRE(before.save(path));
  CHECK_FALSE(std::filesystem::exists(path + ".new"));

  Discovery after(noon + 1h);
  REQUIRE(after.load(path));
  CHECK(state_of(after) == state_of(before));
  after.set_plan(plan_with({"api.example.com/users/{id}"}));
  call_numbers(after, "/orders/", 1, "/items");
  call_numbers(after, "/users/", 1);
  const json state = state_of(after);
  CHECK(state.at("endpoints").at("GET:::api.example.com/orders/{_param_1}/items").at("count") == 61);
  CHECK(state.at("endpoints").at("GET:::api.example.com/users/{id}").at("count") == 4);
  CHECK(state.at("endpoints").contains("GET:::2001:db8::1/"));
}

TEST_CASE("discovery: no file is a fresh start, a broken one changes nothing, at whatever byte it ends") {
  const Directory directory;
  Discovery discovery(noon);
  REQUIRE(discovery.load(directory.file("missing")));
  Discovery other(noon);
  other.add(a_call("/a"));
  const std::string whole = other.text();
  for (size_t length = 0; length < whole.size(); ++length) {
    CAPTURE(length);
    CHECK_FALSE(discovery.restore(std::string_view(whole).substr(0, length)));
  }
  for (const char* broken :
       {"{}", "[]", "null", R"({"created_at":"yesterday"})",
        R"({"created_at":"2025-06-10T12:00:00Z","interceptors":[],"endpoints":{"x":{}},"consumers":{}})"}) {
    CHECK_FALSE(discovery.restore(broken));
  }
  CHECK(endpoints_of(discovery).empty());
  std::ofstream(directory.file("broken")) << "{";
  const Result<> loaded = discovery.load(directory.file("broken"));
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().text.find("begun anew") != std::string::npos);
}

TEST_CASE("discovery: a save that fails leaves the old file") {
  const Directory directory;
  Discovery discovery(noon);
  REQUIRE(discovery.save(directory.file("state")));
  const auto before = lines_of(directory.file("state"));
  call_numbers(discovery, "/x", 40);
  {
    const FileSizeLimit full(50);
    CHECK_FALSE(discovery.save(directory.file("state")));
  }
  CHECK(lines_of(directory.file("state")) == before);
  CHECK_FALSE(std::filesystem::exists(directory.file("state.new")));
  CHECK_FALSE(discovery.save(directory.file("sub/state")));
}

TEST_CASE("discovery: memory is bounded whatever clients send") {
  Discovery discovery(noon);
  for (int i = 0; i < 30'000; ++i) discovery.add(a_call("/", "h" + std::to_string(i) + ".example.com"));
  CHECK(discovery.dropped() > 0);
  CHECK(endpoints_of(discovery).size() + discovery.dropped() == 30'000);
  CHECK(endpoints_of(discovery).size() <= PathTree::most_nodes);

  Discovery deep(noon);
  std::string path;
  for (int i = 0; i < 3000; ++i) path += "/a";
  deep.add(a_call(path));
  deep.add(a_call(path + "/b"));
  REQUIRE(endpoints_of(deep).size() == 1);
  CHECK(endpoints_of(deep)[0].ends_with("/a/*"));

  Discovery many(noon);
  for (int i = 0; i < 1200; ++i) {
    CallView call = a_call("/");
    const std::string tag = "tag" + std::to_string(i);
    call.consumer_tag = tag;
    many.add(call);
  }
  const json consumers = state_of(many).at("consumers");
  CHECK(consumers.size() == Discovery::most_consumers + 1);
  CHECK(consumers.at("other").at("GET:::api.example.com/").at("count") == 200);
}
