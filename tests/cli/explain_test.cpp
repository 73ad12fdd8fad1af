#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "tests/cli/folder.h"
#include "tests/cli/outcome.h"

using namespace lunar::cli::testing;
using nlohmann::json;

namespace {

constexpr const char* good_cases = R"(cases:
  - name: refuses the admin pages
    steps:
      - request: GET https://a.example.com/admin/x
        expect: {status: 403, generated: true, sent: false}
  - name: lets others through
    steps:
      - request: GET https://a.example.com/x
        expect: {status: 200, sent: true}
)";

constexpr const char* script_flow = R"(name: Scripted
filter: {url: "s.example.com/*"}
processors:
  Run: {processor: CustomScript, parameters: [{key: script_text, value: "request.path = '/y'"}]}
  Failed: {processor: GenerateResponse, parameters: [{key: status, value: 418}]}
flow:
  request:
    - {from: {stream: {name: s, at: start}}, to: {processor: {name: Run}}}
    - {from: {processor: {name: Run, condition: success}}, to: {stream: {name: s, at: end}}}
    - {from: {processor: {name: Run, condition: failure}}, to: {processor: {name: Failed}}}
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)";

struct Two : Folder {
  Two() { file("flows/a.yaml", straight_flow).file("flows/b.yaml", refusing_flow); }
};

}  // namespace

TEST_CASE("flows test: all as expected is 0 with a summary") {
  Two folder;
  folder.file("tests/admin.yaml", good_cases);
  const Outcome outcome = run({"flows", "test", folder.path});
  CHECK(outcome.code == 0);
  CHECK(outcome.out == "2 cases, 0 failed\n");
}

TEST_CASE("flows test: differences are 1, with file, case and line") {
  Two folder;
  folder.file("tests/a.yaml", good_cases);
  folder.file("tests/b.yml",
              "cases:\n  - name: wrong\n    steps:\n      - request: GET https://a.example.com/admin/\n"
              "        expect: {status: 200}\n");
  const Outcome outcome = run({"flows", "test", folder.path});
  CHECK(outcome.code == 1);
  CHECK(contains(outcome.out, "failed tests/b.yml: wrong\n  line 4: status: expected \"200\", found \"403\"\n"));
  CHECK(contains(outcome.out, "3 cases, 1 failed\n"));
  const json document = json::parse(run({"flows", "test", folder.path, "--json"}).out);
  CHECK(document["cases"].size() == 3);
  CHECK(document["cases"][2]["ok"] == false);
  CHECK(document["cases"][2]["differences"].size() == 1);
}

TEST_CASE("flows test: no examples, a faulty example or a faulty configuration is 1; no folder is 2") {
  Two folder;
  CHECK(run({"flows", "test", folder.path}).code == 1);
  CHECK(contains(run({"flows", "test", folder.path}).out, "tests/*.yaml"));
  folder.file("tests/a.yaml", good_cases);
  folder.file("tests/broken.yaml", "cases: [{name: x}]\n");
  const Outcome broken = run({"flows", "test", folder.path});
  CHECK(broken.code == 1);
  CHECK(contains(broken.out, "tests/broken.yaml:1:9: error: "));
  std::filesystem::remove(folder.path / "tests/broken.yaml");
  CHECK(run({"flows", "test", folder.path}).code == 0);
  folder.file("flows/c.yaml", "name: C\n");
  CHECK(run({"flows", "test", folder.path}).code == 1);
  CHECK(run({"flows", "test", "/nonexistent/lunar"}).code == 2);
}

TEST_CASE("flows test: scripts are not run and give failure, as the help says") {
  Folder folder;
  folder.file("flows/s.yaml", script_flow);
  folder.file("tests/s.yaml",
              "cases:\n  - name: fails\n    steps:\n      - request: GET https://s.example.com/\n        expect: "
              "{status: 418}\n");
  CHECK(run({"flows", "test", folder.path}).code == 0);
  CHECK(contains(run({"flows", "test", "--help"}).out, "not run"));
}

TEST_CASE("flows graph: a tree on the screen, SVG on request, into a file too") {
  Two folder;
  const Outcome text = run({"flows", "graph", "Refusing", "--dir", folder.path});
  CHECK(text.code == 0);
  CHECK(contains(text.out, "└─ Refuse (GenerateResponse) status: 403, body: \"no <b>\" - answers the client\n"));
  const Outcome svg = run({"flows", "graph", "Refusing", "--dir", folder.path, "--svg"});
  CHECK(svg.out.starts_with("<svg "));
  CHECK(contains(svg.out, "no &lt;b&gt;"));
  const std::string file = folder.path / "out.svg";
  const Outcome written = run({"flows", "graph", "Refusing", "--dir", folder.path, "--svg", "-o", file});
  CHECK(written.code == 0);
  CHECK(written.out.empty());
  CHECK(folder.read("out.svg") == svg.out);
}

TEST_CASE(
    "flows graph: an unknown flow or a file that cannot be written is 1, no folder is 2, other flows may be faulty") {
  Two folder;
  const Outcome unknown = run({"flows", "graph", "Refusin", "--dir", folder.path});
  CHECK(unknown.code == 1);
  CHECK(contains(unknown.err, "did you mean `Refusing`?"));
  CHECK(run({"flows", "graph", "Refusing", "--dir", folder.path, "-o", "/nonexistent/x"}).code == 1);
  CHECK(run({"flows", "graph", "Refusing", "--dir", "/nonexistent/lunar"}).code == 2);
  folder.file("flows/c.yaml", "name: Broken\n");
  CHECK(run({"flows", "graph", "Refusing", "--dir", folder.path}).code == 0);
  const Outcome broken = run({"flows", "graph", "Broken", "--dir", folder.path});
  CHECK(broken.code == 1);
  CHECK(contains(broken.err, "flows/c.yaml:1:1: error: "));
}

TEST_CASE("flows schema: one kind, or all by their names") {
  const json one = json::parse(run({"flows", "schema", "quota"}).out);
  CHECK(one["$schema"] == "https://json-schema.org/draft/2020-12/schema");
  const json all = json::parse(run({"flows", "schema"}).out);
  CHECK(all.size() == 6);
  CHECK(all["quota"] == one);
  CHECK(all.contains("gateway_config"));
  const json settings = json::parse(run({"flows", "schema", "lunard"}).out);
  CHECK(settings["title"] == "lunar lunard");
  CHECK(all["lunard"] == settings);
}

TEST_CASE("explain: which flows run, in which order, and why the others do not") {
  Two folder;
  const Outcome both = run({"explain", "get", "https://a.example.com/admin/x", "--dir", folder.path});
  CHECK(both.code == 0);
  CHECK(both.out.find("1. Straight (flows/a.yaml) by a.example.com/*") < both.out.find("2. Refusing (flows/b.yaml)"));
  CHECK(contains(both.out, "Refuse (GenerateResponse) status: 403"));
  const Outcome none = run({"explain", "POST", "https://a.example.com/x", "--dir", folder.path});
  CHECK(none.code == 0);
  CHECK(contains(none.out, "no flow runs"));
  CHECK(contains(none.out, "Straight (flows/a.yaml) methods: POST is not among GET\n"));
  CHECK(contains(none.out, "Refusing (flows/b.yaml) url: a.example.com/x does not match a.example.com/admin/*\n"));
}

TEST_CASE("explain: headers, body and caller are looked at, and do not swallow what follows") {
  Folder folder;
  folder.file("flows/a.yaml", R"(name: Picky
filter:
  url: "a.example.com/*"
  headers: [{key: x-env, value: staging}, {key: x-b, value: "a: b"}]
  body: [{key: model, regex_match: "^large"}]
  units: ["shop-*"]
  processes: [curl]
flow:
  request: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
  response: [{from: {stream: {name: s, at: start}}, to: {stream: {name: s, at: end}}}]
)");
  const Outcome outcome =
      run({"explain", "-H", "x-env: staging", "-H", "x-b:a: b", "POST", "a.example.com/x", "--body",
           R"({"model":"large-1"})", "--unit", "shop-1", "--process", "curl", "--dir", folder.path, "--json"});
  CHECK(outcome.code == 0);
  const json document = json::parse(outcome.out);
  REQUIRE(document["selected"].size() == 1);
  CHECK(document["selected"][0]["flow"] == "Picky");
  CHECK(document["selected"][0]["needs_body"] == true);
  CHECK(document["selected"][0]["request"]["start"][0]["to"].is_null());
  const json other =
      json::parse(run({"--json", "explain", "POST", "a.example.com/x", "-H", "x-env: prod", "--dir", folder.path}).out);
  CHECK(other["rejected"][0]["key"] == "headers");
}

TEST_CASE("explain: files with errors are left out and told; a URL that is none or no folder is 2") {
  Two folder;
  folder.file("flows/c.yaml", "name: Broken\n");
  const Outcome outcome = run({"explain", "GET", "https://a.example.com/", "--dir", folder.path});
  CHECK(outcome.code == 0);
  CHECK(contains(outcome.err, "flows/c.yaml:1:1: error: "));
  CHECK(contains(outcome.out, "Straight"));
  CHECK(run({"explain", "GET", "not a url", "--dir", folder.path}).code == 2);
  CHECK(run({"explain", "GET", "https://a.example.com/", "--dir", "/nonexistent/lunar"}).code == 2);
}
