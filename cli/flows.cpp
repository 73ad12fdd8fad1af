// flows validate, load, list; the other words of `flows` are in flows_graph.cpp and flows_test.cpp.
#include "cli/flows.h"

#include <algorithm>
#include <memory>
#include <ostream>
#include <string>

#include "cli/configuration.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

struct Validation {
  std::string dir;
  bool strict = false;
};

size_t count(const Diagnostics& findings, Severity severity) {
  return static_cast<size_t>(std::ranges::count(findings.list(), severity, &Diagnostic::severity));
}

std::string verdict_text(const Diagnostics& findings, const std::string& root, bool accepted) {
  const std::string counts =
      plural(count(findings, Severity::error), "error") + ", " + plural(count(findings, Severity::warning), "warning");
  return (accepted ? "the configuration of " : "refused: the configuration of ") + root + " has " + counts;
}

int validate(const Session& session, const Validation& asked) {
  const auto configuration = open_configuration(session, asked.dir);
  if (!configuration) return configuration.error();
  const Compiled compiled = compile_all(*configuration);
  Diagnostics findings = compiled.diagnostics;
  for (const Diagnostic& one : check_named_files(*configuration, compiled.gateway).list()) findings.add(one);
  const bool accepted = !findings.has_errors() && !(asked.strict && count(findings, Severity::warning) > 0);
  const std::string verdict = verdict_text(findings, configuration->root, accepted);
  std::ostream& out = session.terminal.out;
  if (session.json) {
    out << findings_document(verdict, findings).dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  } else {
    print_findings(session, out, findings);
    const Palette palette = session.palette();
    out << (accepted ? palette.good(printable(verdict)) : palette.bad(printable(verdict))) << '\n';
  }
  return code(accepted ? wire::Exit::ok : wire::Exit::refused);
}

// What the daemon found; members of a wrong type count as absent.
Diagnostics findings_of(const json& body) {
  Diagnostics out;
  const json list = body.is_object() ? body.value("diagnostics", json::array()) : json::array();
  for (const json& one : list) {
    if (!one.is_object()) continue;
    const auto text = [&one](const char* name) {
      return one.contains(name) && one[name].is_string() ? one[name].get<std::string>() : "";
    };
    const auto number = [&one](const char* name) {
      return one.contains(name) && one[name].is_number_unsigned() ? one[name].get<uint32_t>() : 0U;
    };
    const std::string severity = text("severity");
    out.add({text("file"),
             {number("line"), number("column")},
             severity == "note"      ? Severity::note
             : severity == "warning" ? Severity::warning
                                     : Severity::error,
             text("id"),
             text("text")});
  }
  return out;
}

int load(const Session& session) {
  const Result<Answer> answer =
      Client(session.socket)
          .ask(
              {.method = "POST", .target = std::string(wire::route::kLoadFlows), .patience = std::chrono::seconds(60)});
  if (!answer) return complain(session, answer.error());
  const bool accepted = answer->status / 100 == 2;
  const json body = json::parse(answer->body, nullptr, false);
  const bool told = body.is_object() && (accepted || body.contains("diagnostics"));
  if (!told) return complain(session, *answer);
  if (session.json) {
    session.terminal.out << body.dump(2) << '\n';
    return code(accepted ? wire::Exit::ok : wire::Exit::refused);
  }
  print_findings(session, accepted ? session.terminal.out : session.terminal.err, findings_of(body));
  if (!accepted) return complain(session, *answer);
  session.terminal.out << printable(body.value(wire::key::kMessage, "loaded")) << '\n';
  return code(wire::Exit::ok);
}

std::string text_of(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) return "";
  const json& member = object[name];
  return printable(member.is_string() ? member.get<std::string>() : member.dump());
}

std::string joined(const json& list) {
  std::string out;
  for (const json& one : list)
    if (one.is_string()) out += (out.empty() ? "" : ", ") + printable(one.get<std::string>());
  return out;
}

void print_loaded(const Session& session, const json& answer) {
  Table table({{"RANK", Table::Side::right}, {"NAME"}, {"MODE"}, {"REQUESTS", Table::Side::right}, {"FILE"}, {"URLS"}});
  for (const json& flow : answer.value("flows", json::array())) {
    const bool active = !flow.is_object() || flow.value("active", true);
    table.row({text_of(flow, "rank"), text_of(flow, "name"), text_of(flow, "mode") + (active ? "" : " (inactive)"),
               human_count(flow.is_object() ? flow.value("requests", uint64_t{0}) : 0), text_of(flow, "file"),
               joined(flow.is_object() ? flow.value("urls", json::array()) : json::array())});
  }
  std::ostream& out = session.terminal.out;
  if (table.empty()) {
    out << "no flow is loaded; traffic passes unchanged\n";
  } else {
    table.print(out, session.palette());
  }
  for (const json& one : answer.value("skipped", json::array())) {
    const std::string line = text_of(one, "line");
    out << session.palette().warning("skipped:") << ' ' << text_of(one, "file")
        << (line.empty() || line == "0" ? "" : ":" + line + ":" + text_of(one, "column")) << ": "
        << text_of(one, "text") << '\n';
  }
}

int list(const Session& session) {
  const auto answer = fetch(session, {.target = std::string(wire::route::kFlows)});
  if (!answer) return answer.error();
  if (!answer->is_object()) return complain(session, "the daemon's answer is no list of flows", wire::Exit::refused);
  return present(session, *answer, print_loaded);
}

}  // namespace

void declare_flows(CLI::App& app, Session& session, Action& chosen) {
  app.require_subcommand(1);
  const auto word = [&app](const char* name, const char* help) {
    CLI::App* out = app.add_subcommand(name, help);
    out->fallthrough();
    return out;
  };
  auto asked = std::make_shared<Validation>();
  CLI::App* validating = word("validate", "check a configuration folder, without the daemon");
  validating->add_option("dir", asked->dir, "the folder; absent: the configuration directory")->type_name("DIR");
  validating->add_flag("--strict", asked->strict, "refuse warnings as well; notes are never refused");
  validating->callback(
      [asked, &session, &chosen] { chosen = [asked, &session] { return validate(session, *asked); }; });
  word("load", "let the daemon read its configuration folder again")->callback([&session, &chosen] {
    chosen = [&session] { return load(session); };
  });
  word("list", "show the flows that are loaded")->callback([&session, &chosen] {
    chosen = [&session] { return list(session); };
  });
  declare_flows_graph(*word("graph", "draw a flow as a tree of its steps, or as SVG"), session, chosen);
  declare_flows_test(
      *word("test", "run the example transactions of a folder (scripts are not run: they give `failure`)"), session,
      chosen);
  declare_flows_schema(*word("schema", "print the JSON Schema of a kind of file, or of all"), session, chosen);
}

}  // namespace lunar::cli
