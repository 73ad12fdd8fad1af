// The lists `flow.request` and `flow.response` (flows.md §2).
#include <algorithm>
#include <array>

#include "flowengine/compile/flow_draft.h"

namespace lunar {
namespace {

constexpr std::array<std::string_view, 3> forms{"stream", "flow", "processor"};

class ConnectionReader {
 public:
  ConnectionReader(std::string direction, Reader& reader) : direction_(std::move(direction)), reader_(reader) {}

  std::optional<Connection> read(const Value& entry, size_t number) {
    constexpr std::string_view keys[] = {"from", "to"};
    where_ = direction_ + ": connection " + std::to_string(number) + ": ";
    if (!reader_.map(entry)) return std::nullopt;
    reader_.warn_unknown_keys(entry, keys);
    Connection out{.position = entry.at};
    const Value* from = entry.get("from");
    const Value* to = entry.get("to");
    if (from == nullptr) error(entry.at, "connection-from", "`from` is required");
    if (to == nullptr) error(entry.at, "connection-to", "`to` is required");
    if (from == nullptr || to == nullptr) return std::nullopt;
    auto source = read_end(*from, "from");
    auto target = read_end(*to, "to");
    if (!source || !target) return std::nullopt;
    out.from = *std::move(source);
    out.to = *std::move(target);
    return check(out) ? std::optional(std::move(out)) : std::nullopt;
  }

 private:
  void error(Position at, std::string_view id, const std::string& text) { reader_.error(at, id, where_ + text); }

  std::optional<ConnectionEnd> read_end(const Value& end, std::string_view member) {
    if (!reader_.map(end)) return std::nullopt;
    reader_.warn_unknown_keys(end, forms);
    size_t given = 0;
    size_t form = 0;
    for (size_t i = 0; i < forms.size(); ++i) {
      if (end.get(forms[i]) == nullptr) continue;
      ++given;
      form = i;
    }
    if (given != 1) {
      error(end.at, "connection-end",
            "`" + std::string(member) + "` holds " + (given == 0 ? "none" : "more than one") +
                " of stream, flow and processor; it needs exactly one");
      return std::nullopt;
    }
    return read_form(*end.get(forms[form]), static_cast<ConnectionEnd::Kind>(form), member);
  }

  std::optional<ConnectionEnd> read_form(const Value& value, ConnectionEnd::Kind kind, std::string_view member) {
    ConnectionEnd out{.kind = kind, .position = value.at};
    bool shorthand = kind == ConnectionEnd::Kind::processor && value.kind == Value::Kind::scalar && value.text == "end";
    if (shorthand) {
      reader_.note(value.at, "dialect",
                   where_ + "`processor: end` is the end of the stream, unless a processor is called so");
      out.name = "end";
      return out;
    }
    if (!reader_.map(value)) return std::nullopt;
    const Value* name = value.get("name");
    auto text = name == nullptr ? std::optional(std::string()) : reader_.string(*name);
    if (!text) return std::nullopt;
    if (text->empty()) {
      error(value.at, "connection-name", "`name` is required in `" + std::string(member) + "`");
      return std::nullopt;
    }
    out.name = *std::move(text);
    bool good =
        kind == ConnectionEnd::Kind::processor ? read_condition(value, member, out) : read_at(value, member, out);
    return good ? std::optional(std::move(out)) : std::nullopt;
  }

  bool read_condition(const Value& value, std::string_view member, ConnectionEnd& out) {
    constexpr std::string_view keys[] = {"name", "condition"};
    reader_.warn_unknown_keys(value, keys);
    const Value* condition = value.get("condition");
    if (condition == nullptr) return true;
    out.condition_position = condition->at;
    if (member == "to") {
      reader_.warn(condition->at, "unknown-key", where_ + "`condition` has no effect in `to`");
      return true;
    }
    out.condition = reader_.string(*condition);
    return out.condition.has_value();
  }

  bool read_at(const Value& value, std::string_view member, ConnectionEnd& out) {
    constexpr std::string_view keys[] = {"name", "at"};
    constexpr std::string_view places[] = {"start", "end"};
    reader_.warn_unknown_keys(value, keys);
    const Value* at = value.get("at");
    if (at == nullptr) {
      error(value.at, "connection-end", "`at` is required in `" + std::string(member) + "`: start or end");
      return false;
    }
    auto place = reader_.choice(*at, places);
    if (place) out.at = static_cast<ConnectionEnd::At>(*place);
    return place.has_value();
  }

  bool check(const Connection& connection) {
    using Kind = ConnectionEnd::Kind;
    using At = ConnectionEnd::At;
    const auto& [from, to, position] = connection;
    bool from_good = (from.kind == Kind::stream && from.at == At::start) ||
                     (from.kind == Kind::flow && from.at == At::end) || (from.kind == Kind::processor);
    bool to_good = (to.kind == Kind::stream && to.at == At::end) || (to.kind == Kind::flow && to.at == At::start) ||
                   to.kind == Kind::processor;
    if (!from_good || !to_good)
      error(position, "invalid-connection", "from " + from.text() + " to " + to.text() + " is no connection");
    return from_good && to_good;
  }

  std::string direction_;
  std::string where_;
  Reader& reader_;
};

}  // namespace

std::string ConnectionEnd::text() const {
  const std::string place = at == At::start ? " start" : " end";
  if (kind == Kind::stream) return "stream" + place;
  return kind == Kind::flow ? "flow " + name + place : "processor " + name;
}

std::vector<Connection> read_connections(const Value* list, Position otherwise, bool response, Reader& reader) {
  const std::string direction = response ? "flow response" : "flow request";
  std::vector<Connection> out;
  auto items = list == nullptr ? std::optional(std::vector<const Value*>{}) : reader.list(*list);
  if (!items) return out;
  if (items->empty()) {
    reader.error(list == nullptr ? otherwise : list->at, "connection-not-defined",
                 direction + ": at least one connection is required");
    return out;
  }
  ConnectionReader connections(direction, reader);
  for (size_t i = 0; i < items->size(); ++i)
    if (auto connection = connections.read(*(*items)[i], i + 1)) out.push_back(*std::move(connection));
  return out;
}

}  // namespace lunar
