// tls: what became of connections whose TLS was to be opened, and who is passed through for a while
#include <ostream>
#include <string>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

uint64_t number(const json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_number_unsigned() ? object[name].get<uint64_t>()
                                                                                          : 0;
}

std::string text(const json& object, const char* name) {
  return object.is_object() && object.contains(name) && object[name].is_string()
             ? printable(object[name].get<std::string>())
             : "-";
}

void print_tls(const Session& session, const json& document) {
  using enum Table::Side;
  std::ostream& out = session.terminal.out;
  if (!document.value("intercepting", false)) {
    out << "no TLS is opened: see tls.intercept in lunard.yaml\n";
    return;
  }
  Table outcomes({{"OUTCOME"}, {"CONNECTIONS", right}});
  for (const auto& [name, count] : document.value("outcomes", json::object()).items())
    outcomes.row({printable(name), count.is_number_unsigned() ? human_count(count.get<uint64_t>()) : "-"});
  outcomes.print(out, session.palette());
  Table passed({{"PROGRAM"}, {"HOST"}, {"PASSED THROUGH FOR", right}});
  for (const json& one : document.value("passed_through", json::array()))
    passed.row({text(one, "program"), text(one, "host"), std::to_string(number(one, "seconds_left")) + " s"});
  out << "\n";
  if (passed.empty()) {
    out << "no program has refused our certificates\n";
  } else {
    passed.print(out, session.palette());
  }
}

int run_tls(const Session& session) {
  auto answer = fetch(session, {.target = std::string(wire::route::kTls)});
  if (!answer) return answer.error();
  if (!answer->is_object()) return complain(session, "the daemon's answer says nothing of TLS", wire::Exit::refused);
  return present(session, *answer, print_tls);
}

}  // namespace

void declare_tls(CLI::App& app, Session& session, Action& chosen) {
  app.require_subcommand(1);
  CLI::App* list = app.add_subcommand("list", "what became of the connections that tls.intercept names");
  list->callback([&session, &chosen] { chosen = [&session] { return run_tls(session); }; });
}

}  // namespace lunar::cli
