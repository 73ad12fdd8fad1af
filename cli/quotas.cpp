// quotas, discover: state of the gateway as tables
#include <algorithm>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

const json& member(const json& object, const char* name) {
  static const json none;
  return object.is_object() && object.contains(name) ? object[name] : none;
}

// Null and absent are a dash; a text stays as it is.
std::string shown(const json& value) {
  if (value.is_null()) return "-";
  if (value.is_number_unsigned()) return human_count(value.get<uint64_t>());
  return printable(value.is_string() ? value.get<std::string>() : value.dump());
}

void print_quotas(const Session& session, const json& document) {
  using enum Table::Side;
  Table table({{"ID"}, {"STRATEGY"}, {"GROUP"}, {"USED", right}, {"LIMIT", right}, {"ENDS"}, {"BLOCKED UNTIL"}});
  for (const json& quota : member(document, "quotas")) {
    const json& groups = member(quota, "groups");
    if (groups.empty())
      table.row({shown(member(quota, "id")), shown(member(quota, "strategy")), "-", "-", "-", "-", "-"});
    for (const json& group : groups) {
      table.row({shown(member(quota, "id")), shown(member(quota, "strategy")), shown(member(group, "group")),
                 shown(member(group, "used")), shown(member(group, "limit")), shown(member(group, "ends")),
                 shown(member(group, "blocked_until"))});
    }
  }
  if (table.empty()) {
    session.terminal.out << "no quota is loaded\n";
  } else {
    table.print(session.terminal.out, session.palette());
  }
}

int run_quotas(const Session& session, const std::string& id) {
  auto answer = fetch(session, {.target = std::string(wire::route::kQuotas)});
  if (!answer) return answer.error();
  if (!answer->is_object()) return complain(session, "the daemon's answer holds no quotas", wire::Exit::refused);
  if (!id.empty()) {
    json chosen = json::array();
    for (const json& quota : member(*answer, "quotas"))
      if (member(quota, "id") == id) chosen.push_back(quota);
    if (chosen.empty())
      return complain(session, "no quota is called `" + printable(id) + "`; `lunarctl quotas` lists them",
                      wire::Exit::refused);
    (*answer)["quotas"] = std::move(chosen);
  }
  return present(session, *answer, print_quotas);
}

struct Endpoint {
  std::string method, url;
  const json* figures;

  [[nodiscard]] uint64_t count() const {
    const json& value = member(*figures, "count");
    return value.is_number_unsigned() ? value.get<uint64_t>() : 0;
  }
};

std::vector<Endpoint> endpoints_of(const json& document) {
  constexpr std::string_view separator = ":::";
  std::vector<Endpoint> out;
  const json& map = member(document, "endpoints");
  if (!map.is_object()) return out;
  for (const auto& [name, figures] : map.items()) {
    const size_t at = name.find(separator);
    const bool split = at != std::string::npos;
    out.push_back({split ? name.substr(0, at) : "", split ? name.substr(at + separator.size()) : name, &figures});
  }
  std::ranges::sort(out, [](const Endpoint& left, const Endpoint& right) {
    return left.count() != right.count() ? left.count() > right.count() : left.url < right.url;
  });
  return out;
}

std::string statuses(const json& codes) {
  std::string out;
  if (!codes.is_object()) return out;
  for (const auto& [status, number] : codes.items())
    out += (out.empty() ? "" : " ") + printable(status) + ":" + shown(number);
  return out;
}

void print_endpoints(const Session& session, const json& document) {
  using enum Table::Side;
  Table table({{"METHOD"}, {"COUNT", right}, {"AVERAGE", right}, {"LAST"}, {"STATUS"}, {"ENDPOINT"}});
  for (const Endpoint& one : endpoints_of(document)) {
    const json& average = member(*one.figures, "average_duration");
    table.row({printable(one.method), human_count(one.count()),
               average.is_number() ? human_milliseconds(average.get<double>()) : "-",
               shown(member(*one.figures, "max_time")), statuses(member(*one.figures, "status_codes")),
               printable(one.url)});
  }
  if (table.empty()) {
    session.terminal.out << "no endpoint was seen so far\n";
  } else {
    table.print(session.terminal.out, session.palette());
  }
}

}  // namespace

void declare_quotas(CLI::App& app, Session& session, Action& chosen) {
  auto id = std::make_shared<std::string>();
  app.add_option("id", *id, "only this quota or internal limit")->type_name("ID");
  app.callback([id, &session, &chosen] { chosen = [id, &session] { return run_quotas(session, *id); }; });
}

void declare_discover(CLI::App& app, Session& session, Action& chosen) {
  app.callback([&session, &chosen] {
    chosen = [&session] {
      const auto answer = fetch(session, {.target = std::string(wire::route::kDiscover)});
      return answer ? present(session, *answer, print_endpoints) : answer.error();
    };
  });
}

}  // namespace lunar::cli
