// The processor of flowengine/README.md, compiled as it stands there, in an engine to which it was added.
#include <doctest/doctest.h>

#include "flowengine/explain/declarations.h"
#include "flowengine/explain/schema.h"
#include "flowengine/processors/processor.h"
#include "tests/flowengine/flows/flow_scene.h"

namespace lunar {
namespace {

std::string stamping(std::string_view parameters) {
  return flow_with("Stamping", "{url: api.example.com/*}",
                   "{S: {processor: Stamp, parameters: [" + std::string(parameters) + "]}}",
                   "[{from: {stream: {name: s, at: start}}, to: {processor: {name: S}}}, "
                   "{from: {processor: {name: S}}, to: {stream: {name: s, at: end}}}]");
}

TEST_CASE("the README's processor: stamps what the provider gets") {
  FlowScene scene;
  scene.flow(stamping("{key: text, value: seen by us}"));
  CHECK(scene.findings() == "");
  Simulation simulation = scene.simulation();
  simulation.send("a", call("GET https://api.example.com/v1", {"x-stamp: forged"}));
  REQUIRE(simulation.at_provider("a"));
  CHECK(field(simulation.outcomes("a").sent.at(0).headers, "X-Stamp") == "seen by us");
}

TEST_CASE("the README's processor: checks, near names, schema and declaration come from its table") {
  CHECK(FlowScene().flow(stamping("")).findings().contains("`text` is required in processor `"));
  CHECK(FlowScene()
            .flow(stamping("{key: text, value: x}, {key: txt, value: y}"))
            .findings()
            .contains("did you mean `text`? [unknown-parameter]"));
  CHECK(schema_of(FileKind::flow).at("$defs").at("parameters_Stamp").dump().contains("what is stamped"));
  FlowScene scene;
  scene.flow(stamping("{key: text, value: x}"));
  CHECK(Declarations(scene.sources()).parameters("Stamping", "S") == "text: x");
}

TEST_CASE("the README's processor: the others are still there") {
  REQUIRE(find_processor("Stamp") != nullptr);
  CHECK(find_processor("Stamp")->directions.response == false);
  for (const char* name : {"Limiter", "MockProcessor", "AsyncRetry"}) CHECK(find_processor(name) != nullptr);
}

}  // namespace
}  // namespace lunar
