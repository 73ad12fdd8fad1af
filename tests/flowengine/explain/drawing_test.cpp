#include "flowengine/explain/drawing.h"

#include <doctest/doctest.h>

#include <cmath>
#include <sstream>

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

struct Area {
  std::string element;
  double left = 0, top = 0, right = 0, bottom = 0;

  [[nodiscard]] bool meets(const Area& other) const {
    return left < other.right && other.left < right && top < other.bottom && other.top < bottom;
  }
};

double attribute(const std::string& element, const std::string& name) {
  const std::string begin = " " + name + "=\"";
  return std::stod(element.substr(element.find(begin) + begin.size()));
}

// The boxes of an SVG, and the texts on its edges.
std::vector<Area> areas_of(const std::string& svg) {
  constexpr double letter = 6.6;
  std::vector<Area> out;
  std::istringstream lines(svg);
  for (std::string line; std::getline(lines, line);) {
    const bool box = line.starts_with("<rect class=\"step\"") || line.starts_with("<rect class=\"end\"");
    const bool label = line.starts_with("<text") && line.contains("class=\"label\"");
    if (!box && !label) continue;
    const double x = attribute(line, "x");
    const double y = attribute(line, "y");
    const size_t begin = line.find('>') + 1;
    const double half = letter * static_cast<double>(line.find("</text>") - begin) / 2;
    if (box) out.push_back({line, x, y, x + attribute(line, "width"), y + attribute(line, "height")});
    if (label) out.push_back({line, x - half, y - 9, x + half, y + 3});
  }
  return out;
}

// A step with two outputs, each of which leads to where its edge says.
Step choice(std::optional<size_t> hit, std::optional<size_t> miss) {
  return {.name = "Is", .type = "Filter", .outputs = {"hit", "miss"}, .edges = {{"hit", hit}, {"miss", miss}}};
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
  CHECK(count(svg, "<rect") == 1 + 8);  // the page; client, Ask, Refuse, end; provider, answer, Record, end
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

TEST_CASE("drawing: no text of an SVG lies on another or on a box, also where outputs lead to one place") {
  FlowSteps same{.name = "Same", .file = "flows/a.yaml"};
  same.request = {.rooted = true, .root = {{"", 0}}, .steps = {choice({}, {})}};
  FlowSteps narrow{.name = "Narrow", .file = "flows/b.yaml"};
  narrow.request = {.rooted = true,
                    .root = {{"", 0}, {"", std::nullopt}},
                    .steps = {{.name = "L",
                               .type = "Limiter",
                               .outputs = {"below_limit", "above_limit"},
                               .edges = {{"below_limit", 1}, {"above_limit", 2}}},
                              {.name = "A", .type = "M", .edges = {{"", std::nullopt}}},
                              {.name = "B", .type = "M", .edges = {{"", std::nullopt}}}}};
  for (const FlowSteps& flow : {same, narrow}) {
    CAPTURE(flow.name);
    const std::string svg = draw_svg(flow);
    const std::vector<Area> areas = areas_of(svg);
    CHECK(std::ranges::count_if(areas, [](const Area& one) { return one.element.starts_with("<text"); }) == 2);
    for (size_t i = 0; i < areas.size(); ++i) {
      CAPTURE(areas[i].element);
      CHECK(areas[i].left >= 0);
      CHECK(areas[i].right <= attribute(svg, "width"));
      CHECK(areas[i].bottom <= attribute(svg, "height"));
      for (size_t j = 0; j < i; ++j) {
        CAPTURE(areas[j].element);
        CHECK_FALSE(areas[i].meets(areas[j]));
      }
    }
  }
}

TEST_CASE("drawing: an SVG says what the text says: mode, outputs that nothing follows, a side without steps") {
  FlowSteps flow{.name = "Trial", .file = "flows/a.yaml", .shadow = true, .blocks_on_error = true};
  flow.request = {.rooted = true, .root = {{"", 0}}, .steps = {choice({}, {})}};
  flow.request.steps[0].edges.pop_back();
  const std::string svg = draw_svg(flow);
  for (const char* text :
       {">mode: shadow, changes nothing<", ">on_error: block<", ">miss: nothing follows<", ">nothing<"})
    CHECK_MESSAGE(count(svg, text) == 1, text);
}

TEST_CASE("drawing: parameters of a step take several lines before anything is left out") {
  FlowSteps flow{.name = "Long", .file = "flows/a.yaml"};
  flow.request = {.rooted = true, .root = {{"", 0}}, .steps = {choice({}, {})}};
  auto drawn = [&flow](const std::string& parameters) {
    flow.request.steps[0].parameters = parameters;
    return draw_svg(flow);
  };
  const std::string fits = drawn("attempts: 4, cooldown_between_attempts_seconds: 0.25, maximum_cooldown_seconds: 8");
  for (const char* line :
       {">attempts: 4,<", ">cooldown_between_attempts_seconds: 0.25,<", ">maximum_cooldown_seconds: 8<"})
    CHECK_MESSAGE(count(fits, line) == 1, line);
  const std::string longer = drawn(std::string(44, 'a') + std::string(44, 'b') + std::string(44, 'c') + "d");
  for (const char letter : {'a', 'b'}) CHECK(count(longer, ">" + std::string(44, letter) + "<") == 1);
  CHECK(count(longer, ">" + std::string(44, 'c') + "…<") == 1);
  const std::string wide = drawn("值" + std::string(42, 'x'));  // a character of two columns
  CHECK(count(wide, ">值" + std::string(42, 'x') + "<") == 1);
  CHECK(attribute(wide, "width") == attribute(drawn(std::string(44, 'x')), "width"));
}

TEST_CASE("drawing: a long name widens the picture no further than it is written") {
  FlowSteps flow{.name = std::string(1000, 'n'), .file = "flows/a.yaml"};
  CHECK(attribute(draw_svg(flow), "width") < 1000);
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

TEST_CASE("layout: an edge turns between the layers, so that it never crosses a box beside the one that it leaves") {
  std::vector<LayoutBox> boxes{{.width = 40, .height = 20},
                               {.width = 40, .height = 10},
                               {.width = 300, .height = 90},
                               {.width = 40, .height = 20}};
  std::vector<LayoutEdge> edges{{0, 1, {}}, {0, 2, {}}, {1, 3, {}}, {2, 3, {}}};
  CHECK(lay_out(boxes, edges).height > 0);
  REQUIRE(boxes[1].y == boxes[2].y);
  const std::vector<LayoutPoint>& points = edges[2].points;
  REQUIRE(points.size() == 3);
  CHECK(points[0].y == boxes[1].y + 10);
  CHECK(points[1].x == points[0].x);
  CHECK(points[1].y == boxes[2].y + 90);
  CHECK(points[2].y == boxes[3].y);
}

TEST_CASE("layout: a long edge is straight where it can be, and a box stands in the middle of what it leads to") {
  std::vector<LayoutBox> boxes{{.width = 40, .height = 20},
                               {.width = 200, .height = 20},
                               {.width = 40, .height = 20},
                               {.width = 120, .height = 20},
                               {.width = 40, .height = 20}};
  std::vector<LayoutEdge> edges{{0, 1, {}}, {1, 2, {}}, {2, 3, {}}, {3, 4, {}}, {0, 4, {}}};
  CHECK(lay_out(boxes, edges).width > 200);
  const std::vector<LayoutPoint>& bends = edges.back().points;
  REQUIRE(bends.size() == 9);
  for (size_t i = 3; i + 1 < bends.size(); ++i) CHECK(std::abs(bends[i].x - bends[2].x) < 5);

  std::vector<LayoutBox> tree(3, {.width = 40, .height = 20});
  std::vector<LayoutEdge> forks{{0, 1, {}}, {0, 2, {}}};
  CHECK(lay_out(tree, forks).width == doctest::Approx(2 * 40 + 24));
  CHECK(tree[0].x == doctest::Approx((tree[1].x + tree[2].x) / 2));
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
