// explain METHOD URL: what the flows of a configuration folder would do with a request
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/configuration.h"
#include "cli/verbs.h"
#include "flowengine/explain/drawing.h"
#include "flowengine/explain/explanation.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

struct Question {
  std::string method, url, body, dir, process, unit;
  std::vector<std::string> headers;
  bool has_body = false;
};

std::string_view trimmed(std::string_view text) {
  while (text.starts_with(' ') || text.starts_with('\t')) text.remove_prefix(1);
  while (text.ends_with(' ') || text.ends_with('\t')) text.remove_suffix(1);
  return text;
}

// Nothing where a header is none.
std::optional<SimulatedRequest> request_of(const Question& asked) {
  SimulatedRequest out{.method = asked.method, .url = asked.url};
  std::ranges::transform(out.method, out.method.begin(),
                         [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  for (const std::string& header : asked.headers) {
    const size_t colon = header.find(':');
    const std::string_view name = trimmed(std::string_view(header).substr(0, colon));
    if (colon == std::string::npos || name.empty()) return std::nullopt;
    out.headers.emplace_back(name, trimmed(std::string_view(header).substr(colon + 1)));
  }
  if (asked.has_body) out.body = asked.body;
  (asked.process.contains('/') ? out.caller.exe : out.caller.comm) = asked.process;
  out.caller.unit = asked.unit;
  return out;
}

json to_json(const std::vector<StepEdge>& edges, const DirectionSteps& steps) {
  json out = json::array();
  for (const StepEdge& edge : edges) {
    json one{{"to", edge.target ? json(steps.steps[*edge.target].name) : json(nullptr)}};
    if (!edge.output.empty()) one["output"] = edge.output;
    if (edge.answer_only) one["answer_only"] = true;
    out.push_back(std::move(one));
  }
  return out;
}

json to_json(const DirectionSteps& steps) {
  json list = json::array();
  for (const Step& step : steps.steps) {
    list.push_back({{"processor", step.name},
                    {"type", step.type},
                    {"help", step.help},
                    {"parameters", step.parameters},
                    {"runs", !step.idle},
                    {"answers", step.answers},
                    {"next", to_json(step.edges, steps)}});
  }
  json behind = json::array();
  for (const size_t index : steps.behind_answers) behind.push_back(steps.steps[index].name);
  return {{"start", to_json(steps.root, steps)}, {"behind_answers", std::move(behind)}, {"steps", std::move(list)}};
}

// All that the answer is made of.
struct Told {
  const Plan& plan;
  const Declarations& declarations;
  const Explanation& explanation;
};

json to_json(const Told& told) {
  json selected = json::array();
  for (const SelectedExplanation& one : told.explanation.selected) {
    const FlowSteps steps = steps_of(told.plan, told.plan.flows[one.flow], told.declarations);
    json params = json::object();
    for (const auto& [name, value] : one.params) params[name] = value;
    selected.push_back({{"flow", steps.name},
                        {"file", steps.file},
                        {"pattern", one.pattern},
                        {"path_params", std::move(params)},
                        {"needs_body", one.needs_body},
                        {"shadow", steps.shadow},
                        {"response_conditions", steps.response_conditions},
                        {"request", to_json(steps.request)},
                        {"response", to_json(steps.response)}});
  }
  json rejected = json::array();
  for (const RejectedExplanation& one : told.explanation.rejected) {
    const Flow& flow = told.plan.flows[one.flow];
    rejected.push_back({{"flow", flow.name}, {"file", flow.file}, {"key", one.key}, {"text", one.text}});
  }
  json quotas = json::array();
  for (const QuotaExplanation& one : told.explanation.quotas)
    quotas.push_back({{"id", one.id}, {"counts", one.counts}});
  return {{"selected", std::move(selected)}, {"rejected", std::move(rejected)}, {"quotas", std::move(quotas)}};
}

void print_direction(std::ostream& out, const std::string& title, const std::vector<std::string>& lines) {
  out << "     " << title << '\n';
  for (const std::string& line : lines) out << "       " << printable(line) << '\n';
}

void print_selected(const Session& session, const Told& told, size_t number) {
  const SelectedExplanation& one = told.explanation.selected[number];
  const Flow& flow = told.plan.flows[one.flow];
  const FlowSteps steps = steps_of(told.plan, flow, told.declarations);
  std::ostream& out = session.terminal.out;
  out << "  " << number + 1 << ". " << session.palette().strong(printable(steps.name)) << " (" << printable(steps.file)
      << ") by " << printable(one.pattern);
  for (const auto& [name, value] : one.params) out << ", " << printable(name) << " = " << printable(value);
  out << '\n';
  if (flow.filter.sample_percentage != 0)
    out << "     in " << human_rate(flow.filter.sample_percentage) << " % of all such transactions\n";
  if (steps.shadow) out << "     in shadow mode: it decides, and changes nothing\n";
  if (one.needs_body) out << "     the request is held until its body is complete\n";
  print_direction(out, "request", draw_tree(steps.request, Phase::request));
  std::string title = "response";
  for (const std::string& condition : steps.response_conditions)
    title += (title == "response" ? ", if " : "; ") + printable(condition);
  print_direction(out, title, draw_tree(steps.response, Phase::response));
}

void print_told(const Session& session, const Told& told) {
  const Palette palette = session.palette();
  const Explanation& explanation = told.explanation;
  std::ostream& out = session.terminal.out;
  if (explanation.selected.empty()) {
    out << palette.strong("no flow runs") << "; the request goes to the provider unchanged\n";
  } else {
    out << palette.strong("these flows run, in this order") << " (response sides in the reverse one):\n";
    for (size_t i = 0; i < explanation.selected.size(); ++i) print_selected(session, told, i);
  }
  if (!explanation.quotas.empty()) out << palette.strong("quotas that no processor names:") << '\n';
  for (const QuotaExplanation& one : explanation.quotas)
    out << "  " << printable(one.id) << (one.counts ? " counts it" : " learns from the answer") << '\n';
  if (!explanation.rejected.empty()) out << palette.strong("these do not:") << '\n';
  for (const RejectedExplanation& one : explanation.rejected) {
    const Flow& flow = told.plan.flows[one.flow];
    out << "  " << printable(flow.name) << " (" << printable(flow.file) << ") " << palette.warning(one.key) << ": "
        << printable(one.text) << '\n';
  }
}

int run_explain(const Session& session, const Question& asked) {
  const auto request = request_of(asked);
  if (!request) return complain(session, "a header is `name: value`", wire::Exit::usage);
  auto configuration = open_configuration(session, asked.dir);
  if (!configuration) return configuration.error();
  configuration->options.lenient = true;
  const Compiled compiled = compile_all(*configuration);
  if (compiled.diagnostics.has_errors()) {
    print_findings(session, session.terminal.err, compiled.diagnostics);
    complain(session, "files with errors are left out here; a reload would refuse them", wire::Exit::refused);
  }
  const Declarations declarations(configuration->sources);
  const Result<Explanation> explanation = explain(*compiled.plan, *request, declarations);
  if (!explanation) return complain(session, printable(explanation.error().text), wire::Exit::usage);
  const Told told{*compiled.plan, declarations, *explanation};
  if (session.json) {
    session.terminal.out << to_json(told).dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    print_told(session, told);
  }
  return code(wire::Exit::ok);
}

}  // namespace

void declare_explain(CLI::App& app, Session& session, Action& chosen) {
  auto asked = std::make_shared<Question>();
  app.add_option("method", asked->method, "method of the request")->type_name("METHOD")->required();
  app.add_option("url", asked->url, "its URL; without a scheme: http")->type_name("URL")->required();
  app.add_option("-H,--header", asked->headers, "a request header, `name: value`; may be repeated")
      ->type_name("HEADER")
      ->allow_extra_args(false);
  CLI::Option* body =
      app.add_option("--body", asked->body, "the request's body; absent: it is empty")->type_name("TEXT");
  app.add_option("--process", asked->process, "command name of the caller, or its path")->type_name("NAME");
  app.add_option("--unit", asked->unit, "systemd unit of the caller")->type_name("UNIT");
  app.add_option("--dir", asked->dir, "the folder; absent: the configuration directory")->type_name("DIR");
  app.callback([asked, body, &session, &chosen] {
    asked->has_body = body->count() > 0;
    chosen = [asked, &session] { return run_explain(session, *asked); };
  });
}

}  // namespace lunar::cli
