#include <memory>
#include <ostream>
#include <string>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

struct TailOptions {
  bool follow = false;
  size_t count = 10;
  std::string host;
  std::string unit;
  std::string pid;
};

std::string text(const json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string()
             ? printable(object[name].get<std::string>())
             : "";
}

double figure(const json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_number() ? object[name].get<double>() : 0;
}

std::string status_text(const Palette& palette, const json& line) {
  const auto status = static_cast<int>(figure(line, "status_code"));
  const std::string shown = status == 0 ? " - " : std::to_string(status);
  if (status >= 500) return palette.bad(shown);
  return status >= 400 ? palette.warning(shown) : shown;
}

std::string caller_text(const json& line) {
  if (!line.contains("process") || !line["process"].is_object()) return "";
  const json& process = line["process"];
  std::string caller = text(process, "comm");
  if (process.contains("pid")) caller += "[" + process["pid"].dump() + "]";
  const std::string unit = text(process, "unit").empty() ? text(process, "container") : text(process, "unit");
  return unit.empty() ? caller : caller + " " + unit;
}

// 12:00:01.123 200 GET http://host/path 12.3 ms 1.2 KiB  python3[123] shop.service
void print_line(const Session& session, const json& line) {
  const Palette palette = session.palette();
  const std::string timestamp = text(line, "timestamp");
  std::ostream& out = session.terminal.out;
  out << palette.faint(timestamp.size() > 23 ? timestamp.substr(11, 12) : timestamp) << ' '
      << status_text(palette, line) << ' ' << text(line, "method") << ' ' << text(line, "url") << ' '
      << human_milliseconds(figure(line, "total_duration")) << ' '
      << human_bytes(figure(line, "bytes_in") + figure(line, "bytes_out"));
  const std::string end = text(line, "termination_state");
  if (end != "ok") out << ' ' << palette.bad(end);
  if (figure(line, "x_lunar_error") != 0) out << ' ' << palette.bad("error " + line["x_lunar_error"].dump());
  const std::string caller = caller_text(line);
  if (!caller.empty()) out << "  " << palette.faint(caller);
  out << '\n';
}

bool show(const Session& session, std::string_view bytes) {
  if (session.json) {
    session.terminal.out << bytes << '\n' << std::flush;
    return session.terminal.out.good();
  }
  const json line = json::parse(bytes, nullptr, false);
  if (line.is_object() && line.contains("tail_lost")) {
    session.terminal.err << "lunarctl: " << line["tail_lost"] << " lines were lost: this terminal is too slow\n";
  } else if (line.is_object()) {
    print_line(session, line);
    session.terminal.out << std::flush;
  }
  return session.terminal.out.good();
}

int run_tail(const Session& session, const TailOptions& options) {
  Request request{.target = std::string(wire::route::kTail) + query({{"follow", options.follow ? "1" : ""},
                                                                     {"n", std::to_string(options.count)},
                                                                     {"host", options.host},
                                                                     {"unit", options.unit},
                                                                     {"pid", options.pid}})};
  if (options.follow) request.patience = std::chrono::seconds(0);  // it is silent for as long as nothing happens
  const Result<Answer> answer =
      Client(session.socket).follow(request, [&session](std::string_view line) { return show(session, line); });
  if (!answer) return complain(session, answer.error());
  if (answer->status / 100 != 2) return complain(session, *answer);
  if (!options.follow || !session.terminal.out.good()) return code(wire::Exit::ok);
  return complain(session, "the gateway ended the stream; it may have been restarted", wire::Exit::refused);
}

}  // namespace

void declare_tail(CLI::App& app, Session& session, Action& chosen) {
  auto options = std::make_shared<TailOptions>();
  app.add_flag("-f,--follow", options->follow, "go on with new ones");
  app.add_option("-n,--lines", options->count, "how many of the last ones (at most 256 are kept)")
      ->type_name("N")
      ->capture_default_str();
  app.add_option("--host", options->host, "only this host, and those below it")->type_name("HOST");
  app.add_option("--unit", options->unit, "only this unit or container")->type_name("UNIT");
  app.add_option("--pid", options->pid, "only this process")->type_name("PID")->check(CLI::PositiveNumber);
  app.callback([options, &session, &chosen] { chosen = [options, &session] { return run_tail(session, *options); }; });
}

}  // namespace lunar::cli
