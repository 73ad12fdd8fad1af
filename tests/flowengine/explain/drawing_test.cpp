#include "flowengine/explain/drawing.h"

#include <doctest/doctest.h>

#include "flowengine/explain/layered.h"
#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

constexpr const char* quota =
    "quotas: [{id: Daily, filter: {url: a.example.com}, strategy: {fixed_window: {max: 5, interval: 1, interval_unit: "
    "day}}}]\n";

constexpr const char* allowance = R"(
name: Allowance
filter: {url: "a.example.com/*", methods: [GET, HEAD], status_code: "400-499"}
processors:
  Ask: {processor: Limiter, parameters: [{key: quota_id, value: Daily}]}
  Refuse: {processor: GenerateResponse, parameters: [{key: status, value: 429}, {key: body, value: "allowance <spent> & gone"}]}
  Record: {processor: HARCollector, parameters: [{key: exporter_id, value: file}]}
flow:
  request:
    - {from: {stream: {name: globalStream, at: start}}, to: {processor: {name: Ask}}}
    - {from: {processor: {name: Ask, condition: above_limit}}, to: {processor: {name: Refuse}}}
    - {from: {processor: {name: Ask, condition: below_limit}}, to: {stream: {name: globalStream, at: end}}}
  response:
    - {from: {processor: {name: Refuse}}, to: {processor: {name: Record}}}
    - {from: {stream: {name: globalStream, at: start}}, to: {processor: {name: Record}}}
    - {from: {processor: {name: Record}}, to: {stream: {name: globalStream, at: end}}}
)";

FlowSteps steps(FlowScene& scene, size_t index = 0) {
  const auto plan = scene.plan();
  return steps_of(*plan, plan->flows[index], Declarations(scene.sources()));
}

FlowSteps allowance_steps() {
  FlowScene scene;
  scene.flow(allowance).quota(quota);
  return steps(scene);
}

size_t count(const std::string& text, std::string_view part) {
  size_t out = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++out;
  return out;
}

}  // namespace

TEST_CASE("drawing: a flow as text is a tree of its steps in both directions") {
  CHECK(draw_text(allowance_steps()) ==
        "Allowance (flows/01.yaml)\n"
        "  url: a.example.com/*\n"
        "  methods: GET, HEAD\n"
        "request\n"
        "  └─ Ask (Limiter) quota_id: Daily\n"
        "     ├─ above_limit: Refuse (GenerateResponse) status: 429, body: \"allowance <spent> & gone\" - answers the "
        "client\n"
        "     └─ below_limit: to the provider\n"
        "response, if status_code: 400-499\n"
        "  ├─ behind the answer of Refuse\n"
        "  │  └─ Record (HARCollector) exporter_id: file\n"
        "  │     └─ to the client\n"
        "  └─ Record (as above)\n");
}

TEST_CASE("drawing: outputs that nothing follows are named, and steps of spliced flows carry its name") {
  FlowScene scene;
  scene.flow(flow_with("Inner", "{url: i.example.com}", "{M: {processor: MockProcessor}}",
                       "[{from: {stream: {name: s, at: start}}, to: {processor: {name: M}}},"
                       " {from: {processor: {name: M, condition: output_2}}, to: {stream: {name: s, at: end}}}]"));
  scene.flow(flow_with("Outer", "{url: o.example.com}", "{}",
                       "[{from: {stream: {name: s, at: start}}, to: {flow: {name: Inner, at: start}}},"
                       " {from: {flow: {name: Inner, at: end}}, to: {stream: {name: s, at: end}}}]"));
  CHECK(draw_tree(steps(scene, 1).request, Phase::request) ==
        std::vector<std::string>{"└─ Inner.M (MockProcessor)", "   ├─ output_2: to the provider",
                                 "   └─ output_1: nothing follows"});
}

TEST_CASE("drawing: an SVG holds every step once, escapes what people wrote, and needs nothing from elsewhere") {
  const std::string svg = draw_svg(allowance_steps());
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "<rect") == 8);  // client, Ask, Refuse, end; provider, answer, Record, end
  CHECK(count(svg, "marker-end") == 3 + 3);
  CHECK(svg.find(">above_limit<") != std::string::npos);
  CHECK(svg.find("&lt;spent") != std::string::npos);
  CHECK(svg.find("<spent") == std::string::npos);
  CHECK(svg.find("href") == std::string::npos);
  CHECK(svg.find("<script") == std::string::npos);
  CHECK(svg.find("prefers-color-scheme: dark") != std::string::npos);
}

TEST_CASE("drawing: hostile names stay text") {
  FlowSteps flow{.name = "</svg><script>\"'&\x01\xff", .file = "flows/<x>.yaml"};
  flow.request.steps.push_back({.name = "<b>", .type = "T", .parameters = std::string(200, 'x') + "é"});
  flow.request.root.push_back({.output = "\"><", .target = 0});
  const std::string svg = draw_svg(flow);
  CHECK(count(svg, "<script") == 0);
  CHECK(count(svg, "</svg>") == 1);
  CHECK(svg.find("&lt;b&gt;") != std::string::npos);
  CHECK(svg.find('\x01') == std::string::npos);
  CHECK(svg.find('\xff') == std::string::npos);
  CHECK(svg.find(std::string(60, 'x')) == std::string::npos);
}

TEST_CASE("layout: edges lead downwards and boxes of a layer do not overlap") {
  std::vector<LayoutBox> boxes(6, {.width = 40, .height = 20});
  std::vector<LayoutEdge> edges{{0, 1, {}}, {0, 2, {}}, {0, 3, {}}, {1, 4, {}},
                                {2, 4, {}}, {3, 5, {}}, {4, 5, {}}, {0, 5, {}}};
  const LayoutSize size = lay_out(boxes, edges);
  for (const LayoutEdge& edge : edges) {
    CHECK(edge.points.front().y == doctest::Approx(boxes[edge.from].y + boxes[edge.from].height));
    CHECK(edge.points.back().y == doctest::Approx(boxes[edge.to].y));
    for (size_t i = 1; i < edge.points.size(); ++i) CHECK(edge.points[i].y >= edge.points[i - 1].y);
  }
  for (size_t i = 0; i < boxes.size(); ++i) {
    CHECK(boxes[i].x >= 0);
    CHECK(boxes[i].x + boxes[i].width <= size.width);
    CHECK(boxes[i].y + boxes[i].height <= size.height);
    for (size_t j = 0; j < i; ++j) {
      const bool apart = boxes[i].y != boxes[j].y || boxes[i].x >= boxes[j].x + boxes[j].width ||
                         boxes[j].x >= boxes[i].x + boxes[i].width;
      CHECK(apart);
    }
  }
  CHECK(edges.back().points.size() > 2);  // it bends between the boxes in its way
}

TEST_CASE("layout: nothing, and what would be a cycle, end") {
  std::vector<LayoutBox> none;
  std::vector<LayoutEdge> no_edges;
  CHECK(lay_out(none, no_edges).height == 0);
  std::vector<LayoutBox> boxes(2, {.width = 10, .height = 10});
  std::vector<LayoutEdge> cycle{{0, 1, {}}, {1, 0, {}}};
  CHECK(lay_out(boxes, cycle).width > 0);
}

TEST_CASE("declarations: values in one line, cut at a whole character") {
  Value value{.kind = Value::Kind::list, .items = {}, .entries = {}};
  CHECK(brief_text(value, 40) == "[]");
  value.items.push_back({.kind = Value::Kind::scalar, .text = "a\nb: c", .items = {}, .entries = {}});
  value.items.push_back({.kind = Value::Kind::scalar, .text = "plain", .items = {}, .entries = {}});
  CHECK(brief_text(value, 40) == "[\"a b: c\", plain]");
  CHECK(brief_text({.kind = Value::Kind::scalar, .text = "ééééé", .items = {}, .entries = {}}, 5) == "éé…");
}

}  // namespace lunar
