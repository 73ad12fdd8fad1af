#include "flowengine/explain/explanation.h"

#include <doctest/doctest.h>

#include "flowengine/run/selection.h"
#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

struct Told {
  std::vector<std::string> runs;      // flow by pattern
  std::vector<std::string> does_not;  // flow: key: text
  Explanation all;
};

Told told(const FlowScene& scene, const SimulatedRequest& request) {
  const auto plan = scene.compiled().plan;
  REQUIRE(plan != nullptr);
  FlowScene copy = scene;
  const auto out = explain(*plan, request, Declarations(copy.sources()));
  REQUIRE(out);
  Told told{.runs = {}, .does_not = {}, .all = *out};
  for (const auto& one : out->selected) told.runs.push_back(plan->flows[one.flow].name + " by " + one.pattern);
  for (const auto& one : out->rejected)
    told.does_not.push_back(plan->flows[one.flow].name + ": " + one.key + ": " + one.text);
  return told;
}

FlowScene scene_with(std::initializer_list<std::pair<const char*, const char*>> flows) {
  FlowScene scene;
  for (const auto& [name, filter] : flows) scene.flow(flow_with(name, filter, "{}", ""));
  return scene;
}

using Texts = std::vector<std::string>;

TEST_CASE("explain: flows run from the least specific to the most specific, and by file where they are equal") {
  const FlowScene scene = scene_with({{"Exact", "{url: a.example.com/v1/orders}"},
                                      {"All", "{url: '*'}"},
                                      {"Second", "{url: a.example.com/v1/*}"},
                                      {"Both", "{urls: ['a.example.com/*', 'a.example.com/v1/*']}"},
                                      {"Other", "{url: b.example.com/*}"}});
  const Told out = told(scene, call("GET https://a.example.com/v1/orders"));
  CHECK(out.runs == Texts{"All by *", "Second by a.example.com/v1/*", "Both by a.example.com/v1/*",
                          "Exact by a.example.com/v1/orders"});
  CHECK(out.does_not == Texts{"Other: url: a.example.com/v1/orders does not match b.example.com/*"});
}

TEST_CASE("explain: says the first key that does not match, with what was wanted and found") {
  const auto why = [](const char* filter, const SimulatedRequest& request) {
    return told(scene_with({{"F", filter}}), request).does_not;
  };
  CHECK(why("{url: a.example.com/*, methods: [post, PUT]}", call("GET https://a.example.com/x")) ==
        Texts{"F: methods: GET is not among POST, PUT"});
  CHECK(why("{url: a.example.com/*, headers: [{key: x-a, value: 1}, {key: X-Env, value: staging}]}",
            call("GET https://a.example.com/x", {"x-a: 1", "x-env: prod"})) ==
        Texts{"F: headers: wanted X-Env eq \"staging\" (it is \"prod\")"});
  CHECK(why("{url: a.example.com/*, headers: [{key: x-debug, operation: exists}]}",
            call("GET https://a.example.com/")) == Texts{"F: headers: wanted x-debug exists (it is absent)"});
  CHECK(why("{url: a.example.com/*, query_params: [{key: page, value: 1}, {key: all, operation: exists}]}",
            call("GET https://a.example.com/?page=2&page=3")) ==
        Texts{"F: query_params: wanted page eq \"1\" (it is \"2\", \"3\") or all exists (it is absent)"});
  CHECK(why("{url: 'a.example.com/{id}', path_params: [{key: id, operation: regex, value: '^[0-9]+$'}]}",
            call("GET https://a.example.com/me")) ==
        Texts{"F: path_params: wanted id regex \"^[0-9]+$\" (it is \"me\")"});
  CHECK(why("{url: a.example.com/*, expressions: [{key: $.request.body.model, value: large}]}",
            call("POST https://a.example.com/", {}, R"({"model":"small"})")) ==
        Texts{"F: expressions: wanted $.request.body.model eq \"large\" (it is \"small\")"});
  CHECK(why("{url: a.example.com/*, body: [{key: model, regex_match: ^large}]}", call("POST https://a.example.com/")) ==
        Texts{"F: body: wanted $.request.body.model regex \"^large\" (it selects nothing)"});
}

TEST_CASE("explain: a caller that is not known, or is another one, is said") {
  const FlowScene scene = scene_with({{"P", "{url: a.example.com/*, processes: [curl, /opt/*]}"},
                                      {"U", "{url: a.example.com/*, units: 'shop-*.service'}"}});
  SimulatedRequest request = call("GET https://a.example.com/");
  CHECK(told(scene, request).does_not == Texts{"P: processes: wanted curl or /opt/*; the caller is not known",
                                               "U: units: wanted shop-*.service; the caller is not known"});
  request.caller.comm = "wget";
  request.caller.unit = "shop-1.service";
  CHECK(told(scene, request).does_not == Texts{"P: processes: wanted curl or /opt/*; the caller is \"wget\""});
  request.caller.exe = "/opt/wget";
  CHECK(told(scene, request).does_not.empty());
}

TEST_CASE("explain: samples count as met, bodies are complete, parameters are named") {
  const FlowScene scene = scene_with({{"S", "{url: 'a.example.com/{id}', sample_percentage: 0.001}"},
                                      {"B", "{url: a.example.com/*, body: [{key: model, regex_match: ^large}]}"}});
  const Told out = told(scene, call("POST https://a.example.com/7", {}, R"({"model":"large-2"})"));
  REQUIRE(out.runs.size() == 2);
  CHECK(out.all.selected[0].needs_body);
  CHECK_FALSE(out.all.selected[1].needs_body);
  CHECK(out.all.selected[1].params == PathParams{{"id", "7"}});
}

TEST_CASE("explain: quotas that count by themselves, or learn, are named") {
  FlowScene scene = scene_with({{"F", "{url: '*'}"}});
  scene.quota(
      "quotas: [{id: Mine, filter: {url: a.example.com, method: GET}, strategy: {concurrent: {max_request_count: "
      "1}}}]\n");
  CHECK(told(scene, call("GET https://a.example.com/")).all.quotas.at(0).id == "Mine");
  CHECK(told(scene, call("GET https://a.example.com/")).all.quotas.at(0).counts);
  CHECK(told(scene, call("POST https://a.example.com/")).all.quotas.empty());
}

TEST_CASE("explain: what is no URL is refused, and a scheme may be left out") {
  const auto plan = scene_with({{"F", "{url: '*'}"}}).plan();
  CHECK_FALSE(explain(*plan, call("GET nonsense url"), Declarations({})));
  CHECK_FALSE(explain(*plan, call("GET ftp://a.example.com/"), Declarations({})));
  CHECK(explain(*plan, call("GET a.example.com/x"), Declarations({}))->selected.size() == 1);
}

TEST_CASE("explain: selects what the gateway selects") {
  const FlowScene scene =
      scene_with({{"A", "{url: '*', methods: GET}"},
                  {"B", "{url: '*.example.com/*', headers: [{key: x, operation: exists}]}"},
                  {"C", "{url: 'a.example.com/{p}/x', path_params: [{key: p, value: v}]}"},
                  {"D", "{urls: [a.example.com, 'b.example.com:8443/*'], query_params: {key: q, value: 1}}"},
                  {"E", "{url: 'a.example.com/v/*', expressions: [{key: $.request.headers.x, value: 2}]}"}});
  const auto plan = scene.plan();
  for (const char* method : {"GET", "POST"}) {
    for (const char* url : {"http://a.example.com/v/x?q=1", "http://b.example.com:8443/v", "http://c.example.com/"}) {
      for (const char* header : {"x: 1", "x: 2", "y: 1"}) {
        const SimulatedRequest request = call(std::string(method) + " " + url, {header});
        CAPTURE(std::string(method) + " " + url + " " + header);
        Simulation simulation(plan, scene_start);
        simulation.send("one", request);
        Texts names;
        for (const auto& one : explain(*plan, request, Declarations({}))->selected)
          names.push_back(plan->flows[one.flow].name);
        CHECK(names == simulation.outcomes("one").flows);
      }
    }
  }
}

}  // namespace
}  // namespace lunar
