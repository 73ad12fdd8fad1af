// flows graph, flows schema
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/lunard_schema.h"
#include "cli/configuration.h"
#include "cli/flows.h"
#include "cli/text_file.h"
#include "flowengine/explain/drawing.h"
#include "flowengine/explain/schema.h"
#include "flowengine/spelling.h"

namespace lunar::cli {
namespace {

struct Drawing {
  std::string flow, dir, file;
  bool svg = false;
};

int put_out(const Session& session, const std::string& file, const std::string& text) {
  if (file.empty()) {
    session.terminal.out << text;
    return code(wire::Exit::ok);
  }
  const Result<> written = write_text(file, text);
  return written ? code(wire::Exit::ok) : complain(session, written.error().text, wire::Exit::refused);
}

// Lines without control characters of others.
std::string printable_lines(const std::string& text) {
  std::string out = text;
  std::ranges::replace_if(
      out, [](char byte) { return byte != '\n' && (static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f); }, '?');
  return out;
}

int no_such_flow(const Session& session, const Drawing& asked, const Compiled& compiled) {
  std::vector<std::string_view> names;
  for (const Flow& flow : compiled.plan->flows) names.emplace_back(flow.name);
  const std::string_view near = nearest_name(asked.flow, names);
  print_findings(session, session.terminal.err, compiled.diagnostics);
  return complain(session,
                  "no flow that can be loaded is called `" + asked.flow + "`" +
                      (near.empty() ? "" : "; did you mean `" + std::string(near) + "`?"),
                  wire::Exit::refused);
}

// A flow can be drawn though others have errors.
int draw(const Session& session, const Drawing& asked) {
  auto configuration = open_configuration(session, asked.dir);
  if (!configuration) return configuration.error();
  configuration->options.lenient = true;
  const Compiled compiled = compile_all(*configuration);
  const auto& flows = compiled.plan->flows;
  const auto found = std::ranges::find(flows, asked.flow, &Flow::name);
  if (found == flows.end()) return no_such_flow(session, asked, compiled);
  const FlowSteps steps = steps_of(*compiled.plan, *found, Declarations(configuration->sources));
  return put_out(session, asked.file, asked.svg ? draw_svg(steps) : printable_lines(draw_text(steps)));
}

// Those of a configuration root, and lunard.yaml.
std::vector<std::string> schema_kinds() {
  const auto names = file_kind_names();
  std::vector<std::string> out(names.begin(), names.end());
  out.emplace_back("lunard");
  return out;
}

Json schema_named(std::string_view kind) {
  const auto names = file_kind_names();
  const auto found = std::ranges::find(names, kind);
  return found == names.end() ? lunard_schema() : schema_of(static_cast<FileKind>(found - names.begin()));
}

int print_schema(const Session& session, const std::string& kind) {
  Json out = kind.empty() ? Json::object() : schema_named(kind);
  if (kind.empty())
    for (const std::string& each : schema_kinds()) out[each] = schema_named(each);
  session.terminal.out << out.dump(2) << '\n';
  return code(wire::Exit::ok);
}

}  // namespace

void declare_flows_graph(CLI::App& app, Session& session, Action& chosen) {
  auto asked = std::make_shared<Drawing>();
  app.add_option("name", asked->flow, "the flow's name")->type_name("NAME")->required();
  app.add_option("--dir", asked->dir, "the folder; absent: the configuration directory")->type_name("DIR");
  app.add_flag("--svg", asked->svg, "draw an SVG document instead of text");
  app.add_option("-o,--output", asked->file, "write to this file")->type_name("FILE");
  app.callback([asked, &session, &chosen] { chosen = [asked, &session] { return draw(session, *asked); }; });
}

void declare_flows_schema(CLI::App& app, Session& session, Action& chosen) {
  auto kind = std::make_shared<std::string>();
  app.add_option("kind", *kind, "flow, quota, path_params, metrics, gateway_config or lunard; absent: all in an object")
      ->type_name("KIND")
      ->check(CLI::IsMember(schema_kinds()));
  app.callback([kind, &session, &chosen] { chosen = [kind, &session] { return print_schema(session, *kind); }; });
}

}  // namespace lunar::cli
