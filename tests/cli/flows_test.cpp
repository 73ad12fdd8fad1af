#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/folder.h"
#include "tests/cli/outcome.h"

using namespace lunar::cli::testing;
using nlohmann::json;

namespace {

constexpr const char* bad_flow = "name: Bad\nfilter: {url: 'a.example.com/*/x'}\ncolour: red\n";

}  // namespace

TEST_CASE("flows validate: a good folder is 0, and needs no daemon") {
  Folder folder;
  folder.file("flows/a.yaml", straight_flow);
  const Outcome outcome = run({"flows", "validate", folder.path});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "the configuration of " + folder.path.string() + " has 0 errors, 0 warnings\n");
  CHECK(outcome.err.empty());
}

TEST_CASE("flows validate: errors are 1, each in its one printed form") {
  Folder folder;
  folder.file("flows/bad.yaml", bad_flow);
  const Outcome outcome = run({"flows", "validate", folder.path});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.out, "flows/bad.yaml:2:15: error: "));
  CHECK(contains(outcome.out, "[bad-wildcard]\n"));
  CHECK(contains(outcome.out, "flows/bad.yaml:3:1: warning: "));
  CHECK(contains(outcome.out, "refused: the configuration of "));
}

TEST_CASE("flows validate: --strict refuses warnings and never notes") {
  Folder folder;
  folder.file("flows/a.yaml", std::string(straight_flow) + "colour: red\n");
  CHECK(run({"flows", "validate", folder.path}).code == 0);
  CHECK(run({"flows", "validate", folder.path, "--strict"}).code == 1);
  Folder noted;
  noted.file("flows/a.yaml", "id" + std::string(straight_flow).substr(4));
  const Outcome outcome = run({"flows", "validate", "--strict", noted.path});
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, ": note: "));
}

TEST_CASE("flows validate: certificates that gateway_config.yaml names must be there, as for the daemon") {
  Folder folder;
  folder.file("certs/bank.pem", "x").file("certs/shop.crt", "x").file("certs/shop.key", "x").file("flat", "x");
  folder.file("gateway_config.yaml",
              "mTLS: [{domain: a, cert: certs/bank.pem, ca: certs/bank.pem}, {domain: b, cert: certs/shop.crt}]\n"
              "provider_tls: [{domain: c, ca: certs/bank.pem}]\n");
  CHECK(run({"flows", "validate", "--strict", folder.path}).code == 0);

  folder.file("flows/a.yaml", straight_flow);
  const std::string root = folder.path.string();
  const std::pair<std::string, std::string> cases[] = {
      {"mTLS: [{domain: a, cert: certs/none.pem}]", "1:26: error: " + root + "/certs/none.pem cannot be read: No such"},
      {"mTLS:\n  - {domain: a, cert: flat/none.pem}", "2:23: error: " + root + "/flat/none.pem cannot be read: Not a"},
      {"mTLS: [{domain: a, cert: /none/a.crt}]", "1:26: error: /none/a.crt cannot be read: No such"},
      {"mTLS: [{domain: a, cert: certs/bank.pem, ca: no.pem}]", "1:46: error: " + root + "/no.pem cannot be read: "},
      {"provider_tls: [{domain: a, ca: no.pem}]", "1:32: error: " + root + "/no.pem cannot be read: No such"},
  };
  for (const auto& [text, expected] : cases) {
    CAPTURE(text);
    folder.file("gateway_config.yaml", text);
    const Outcome outcome = run({"flows", "validate", folder.path});
    CHECK(outcome.code == 1);
    CHECK(contains(outcome.out, "gateway_config.yaml:" + expected));
    CHECK(contains(outcome.out, " [file-unusable]\n"));
    CHECK(contains(outcome.out, " has 1 error, 0 warnings\n"));
    CHECK(run({"explain", "GET", "http://a.example.com/", "--dir", root}).code == 0);
  }
  std::filesystem::remove(folder.path / "certs/shop.key");
  folder.file("gateway_config.yaml", "mTLS: [{domain: a, cert: certs/shop.crt}]");
  const Outcome keyless = run({"--json", "flows", "validate", folder.path});
  CHECK(keyless.code == 1);
  const json found = json::parse(keyless.out).at("diagnostics").at(0);
  CHECK(found.at("text") == root + "/certs/shop.key cannot be read: No such file or directory");
  CHECK(found.at("column") == 26);
}

TEST_CASE("flows validate: a folder that cannot be read is 2") {
  Folder folder;
  folder.file("file", "");
  for (const std::string& path : {std::string("/nonexistent/lunar"), (folder.path / "file").string()}) {
    const Outcome outcome = run({"flows", "validate", path});
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK(contains(outcome.err, path));
  }
}

TEST_CASE("flows validate: the folder is the argument, else --config-dir, else the environment") {
  Folder good;
  good.file("flows/a.yaml", straight_flow);
  Folder bad;
  bad.file("flows/a.yaml", bad_flow);
  CHECK(run({"--config-dir", good.path, "flows", "validate"}).code == 0);
  CHECK(run({"flows", "validate", "--config-dir", bad.path}).code == 1);
  CHECK(run({"--config-dir", bad.path, "flows", "validate", good.path}).code == 0);
  REQUIRE(::setenv("LUNAR_PROXY_CONFIG_DIR", bad.path.c_str(), 1) == 0);
  CHECK(run({"flows", "validate"}).code == 1);
  REQUIRE(::setenv("LUNAR_CONFIG_DIR", good.path.c_str(), 1) == 0);
  CHECK(run({"flows", "validate"}).code == 0);
  CHECK(run({"--config-dir", bad.path, "flows", "validate"}).code == 1);
  ::unsetenv("LUNAR_CONFIG_DIR");
  ::unsetenv("LUNAR_PROXY_CONFIG_DIR");
}

TEST_CASE("flows validate: --json has what the daemon answers") {
  Folder folder;
  folder.file("flows/bad.yaml", bad_flow);
  const json document = json::parse(run({"--json", "flows", "validate", folder.path}).out);
  CHECK(contains(document["msg"], "refused"));
  CHECK(contains(document["error"], "flows/bad.yaml:2:15: error: "));
  bool found = false;
  for (const json& one : document["diagnostics"]) {
    if (one["id"] != "bad-wildcard") continue;
    found = true;
    CHECK(one["file"] == "flows/bad.yaml");
    CHECK(one["line"] == 2);
    CHECK(one["column"] == 15);
    CHECK(one["severity"] == "error");
    CHECK(one["text"].is_string());
  }
  CHECK(found);
}

TEST_CASE("flows validate: prints 200 findings at most and says how many there are beside") {
  Folder folder;
  std::string text = straight_flow;
  for (int i = 0; i < 250; ++i) text += "unknown" + std::to_string(i) + ": 1\n";
  folder.file("flows/a.yaml", text);
  const Outcome outcome = run({"flows", "validate", folder.path});
  CHECK(std::ranges::count(outcome.out, '\n') == 202);
  CHECK(contains(outcome.out, "and 50 further findings\n"));
  CHECK(contains(outcome.out, "0 errors, 250 warnings"));
  CHECK(json::parse(run({"--json", "flows", "validate", folder.path}).out)["diagnostics"].size() == 200);
}

TEST_CASE("flows validate: timeouts come from lunard.yaml, and faults of them are findings") {
  Folder folder;
  folder.file("quotas/q.yaml",
              "quotas: [{id: Q, filter: {url: a.example.com}, strategy: {concurrent: {max_request_count: 1}}}]\n");
  folder.file("flows/a.yaml", R"(name: Wait
filter: {url: "a.example.com/*"}
processors: {Line: {processor: Queue, parameters: [{key: quota_id, value: Q}, {key: queue_size, value: 5}, {key: ttl_seconds, value: 30}]}}
flow:
  request:
    - {from: {stream: {name: s, at: start}}, to: {processor: {name: Line}}}
    - {from: {processor: {name: Line, condition: allowed}}, to: {stream: {name: s, at: end}}}
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)");
  CHECK(run({"flows", "validate", folder.path}).code == 0);
  folder.file("lunard.yaml", "flows: {processing_timeout: auto, retry_timeout: 5m}\n");
  CHECK(run({"flows", "validate", folder.path}).code == 0);
  folder.file("lunard.yaml", "flows: {processing_timeout: 20s}\n");
  CHECK(contains(run({"flows", "validate", folder.path}).out, "[queue-ttl]"));
  folder.file("lunard.yaml", "flows: {processing_timeout: soon}\n");
  const Outcome faulty = run({"flows", "validate", folder.path});
  CHECK(faulty.code == 1);
  CHECK(contains(faulty.out, "lunard.yaml:1:29: error: expected a duration such as 10s"));
}

TEST_CASE("flows: colours are for terminals alone") {
  Folder folder;
  folder.file("flows/bad.yaml", bad_flow);
  std::ostringstream out;
  std::ostringstream err;
  CHECK(lunar::cli::lunarctl({"flows", "validate", folder.path}, {out, err, true, true}) == 1);
  CHECK(contains(out.str(), "flows/bad.yaml:2:15: \033[31merror:\033[0m "));
  CHECK_FALSE(contains(run({"flows", "validate", folder.path}).out, "\033"));
}

TEST_CASE("flows load: 200 is 0 with the daemon's words") {
  OneAnswer daemon(200, R"({"msg":"3 flows are loaded"})");
  const Outcome outcome = run({"--socket", daemon.socket(), "flows", "load"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "3 flows are loaded\n");
  CHECK(daemon.asked() == "POST /load_flows HTTP/1.0");
}

TEST_CASE("flows load: a refusal is 1 with every finding") {
  constexpr const char* body =
      R"({"msg":"the configuration is refused","error":"flows/a.yaml:2:1: error: no [x]","diagnostics":[
          {"file":"flows/a.yaml","line":2,"column":1,"severity":"error","id":"x","text":"no"},
          {"file":"flows/a.yaml","line":0,"column":0,"severity":"warning","id":"y","text":"hm"}, 7]})";
  OneAnswer daemon(400, body);
  const Outcome outcome = run({"--socket", daemon.socket(), "flows", "load"});
  CHECK(outcome.code == 1);
  CHECK(outcome.out.empty());
  CHECK(contains(outcome.err, "flows/a.yaml:2:1: error: no [x]\n"));
  CHECK(contains(outcome.err, "warning: hm [y]\n"));
  CHECK(contains(outcome.err, "lunarctl: the configuration is refused"));
  OneAnswer again(400, body);
  const Outcome raw = run({"--json", "--socket", again.socket(), "flows", "load"});
  CHECK(raw.code == 1);
  CHECK(json::parse(raw.out)["diagnostics"].size() == 3);
}

TEST_CASE("flows: no daemon is 3, permission is 4, an answer that is none is 1") {
  for (const auto& words : std::vector<std::vector<std::string>>{
           {"flows", "load"}, {"flows", "list"}, {"quotas"}, {"discover"}, {"exporters", "reload"}}) {
    CAPTURE(words.front());
    std::vector<std::string> arguments{"--socket", "/nonexistent/lunard.sock"};
    arguments.insert(arguments.end(), words.begin(), words.end());
    CHECK(run(arguments).code == 3);
    OneAnswer forbidden(403, R"({"msg":"forbidden"})");
    arguments[1] = forbidden.socket();
    CHECK(run(arguments).code == 4);
    OneAnswer broken(500, "oops");
    arguments[1] = broken.socket();
    CHECK(run(arguments).code == 1);
  }
}

TEST_CASE("flows list: a line a flow, and what was skipped") {
  constexpr const char* body =
      R"({"flows":[{"rank":12,"name":"A\u001b[31m","file":"flows/a.yaml","urls":["a.example.com/*","b"],"mode":"enforce","requests":1234,"active":true},
                   {"name":"B","file":"flows/b.yaml","urls":[],"mode":"shadow","requests":0,"active":true}],
          "skipped":[{"file":"flows/c.yaml","line":3,"column":1,"text":"no root"}]})";
  OneAnswer daemon(200, body);
  const Outcome outcome = run({"--socket", daemon.socket(), "flows", "list"});
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.out, "RANK  NAME"));
  CHECK(contains(outcome.out, "  12  A"));
  CHECK(contains(outcome.out, "1,234"));
  CHECK(contains(outcome.out, "a.example.com/*, b"));
  CHECK(contains(outcome.out, "shadow"));
  CHECK(contains(outcome.out, "skipped: flows/c.yaml:3:1: no root\n"));
  CHECK_FALSE(contains(outcome.out, "\033"));
  CHECK(daemon.asked() == "GET /flows HTTP/1.0");
  OneAnswer none(200, R"({"flows":[],"skipped":[]})");
  CHECK(contains(run({"--socket", none.socket(), "flows", "list"}).out, "no flow is loaded"));
}

TEST_CASE("quotas: a line a group, or one quota; an unknown one is 1") {
  constexpr const char* body =
      R"({"quotas":[{"id":"Daily","strategy":"fixed_window","groups":[{"group":"team-a","limit":1000,"used":7,"ends":"2025-06-15T00:00:00Z","blocked_until":null}]},
                    {"id":"Slots","strategy":"concurrent","groups":[]}]})";
  OneAnswer daemon(200, body);
  const Outcome all = run({"--socket", daemon.socket(), "quotas"});
  CHECK(all.code == 0);
  CHECK(contains(all.out, "team-a"));
  CHECK(contains(all.out, "1,000"));
  CHECK(contains(all.out, "Slots"));
  CHECK(daemon.asked() == "GET /quotas HTTP/1.0");
  OneAnswer second(200, body);
  const Outcome one = run({"--json", "--socket", second.socket(), "quotas", "Slots"});
  CHECK(json::parse(one.out)["quotas"].size() == 1);
  OneAnswer third(200, body);
  const Outcome unknown = run({"--socket", third.socket(), "quotas", "None"});
  CHECK(unknown.code == 1);
  CHECK(contains(unknown.err, "`None`"));
}

TEST_CASE("discover: endpoints by how often they were called, or raw") {
  constexpr const char* body =
      R"({"created_at":"x","endpoints":{"GET:::a.example.com/x":{"max_time":"2025-06-15T00:00:00Z","count":2,"status_codes":{"200":2},"average_duration":12.3},
          "POST:::a.example.com/y":{"count":50,"status_codes":{"201":49,"500":1},"average_duration":5}}})";
  OneAnswer daemon(200, body);
  const Outcome outcome = run({"--socket", daemon.socket(), "discover"});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.find("a.example.com/y") < outcome.out.find("a.example.com/x"));
  CHECK(contains(outcome.out, "201:49 500:1"));
  CHECK(contains(outcome.out, "12.3 ms"));
  CHECK(daemon.asked() == "GET /discover HTTP/1.0");
  OneAnswer raw(200, body);
  CHECK(json::parse(run({"--json", "--socket", raw.socket(), "discover"}).out) == json::parse(body));
  OneAnswer none(200, "{}");
  CHECK(contains(run({"--socket", none.socket(), "discover"}).out, "no endpoint"));
}

TEST_CASE("exporters reload: tells the daemon") {
  OneAnswer daemon(200, R"({"msg":"reopened"})");
  CHECK(run({"--socket", daemon.socket(), "exporters", "reload"}).out == "reopened\n");
  CHECK(daemon.asked() == "POST /exporters/reload HTTP/1.0");
}

TEST_CASE("lunarctl: wrong usage of the words about flows is 2") {
  for (const auto& arguments :
       std::vector<std::vector<std::string>>{{"flows"},
                                             {"flows", "nonsense"},
                                             {"flows", "graph"},
                                             {"flows", "test"},
                                             {"flows", "schema", "policy"},
                                             {"flows", "validate", "a", "b"},
                                             {"explain", "GET"},
                                             {"explain", "GET", "a", "-H", "nonsense", "--dir", "/tmp"},
                                             {"exporters"},
                                             {"har"},
                                             {"har", "show", "0"},
                                             {"har", "show", "x"},
                                             {"migrate", "policies.yaml"}}) {
    CAPTURE(json(arguments).dump());
    const Outcome outcome = run(arguments);
    CHECK(outcome.code == 2);
    CHECK(outcome.out.empty());
    CHECK(outcome.err.starts_with("lunarctl: "));
  }
}
