#include "agent/config/config_change.h"

#include <algorithm>
#include <cctype>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "agent/config/base64.h"
#include "flowengine/processors/har_entry.h"

namespace lunar {
namespace {

using nlohmann::json;

constexpr size_t longest_name = 200;
constexpr size_t deepest = 5;            // operation, update, flows, name
constexpr size_t most_values = 1 << 17;  // a document in memory is many times its text

// Judges a body before it becomes a document: what is not understood is not built either.
class BodyLimits : public nlohmann::json_sax<json> {
 public:
  std::string fault;

  bool null() override { return value(); }
  bool boolean(bool) override { return value(); }
  bool number_integer(number_integer_t) override { return value(); }
  bool number_unsigned(number_unsigned_t) override { return value(); }
  bool number_float(number_float_t, const string_t&) override { return value(); }
  bool string(string_t&) override { return value(); }
  bool binary(binary_t&) override { return value(); }
  bool start_object(std::size_t) override {
    names_.emplace_back();
    return deeper();
  }
  bool end_object() override {
    names_.pop_back();
    --depth_;
    return true;
  }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override {
    --depth_;
    return true;
  }
  bool key(string_t& name) override {
    return names_.back().insert(name).second || refuse("the member `" + name + "` is there twice");
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::detail::exception&) override {
    return refuse("the body is no JSON: look at byte " + std::to_string(position));
  }

 private:
  bool refuse(std::string text) {
    if (fault.empty()) fault = std::move(text);
    return false;
  }
  bool value() { return ++values_ <= most_values || refuse("the body has too many values"); }
  bool deeper() { return value() && (++depth_ <= deepest || refuse("the body is nested too deeply")); }

  std::vector<std::set<std::string>> names_;
  size_t depth_ = 0, values_ = 0;
};

Result<json> object_from(std::string_view body) {
  BodyLimits limits;
  if (!json::sax_parse(body, &limits)) return fail(limits.fault.empty() ? "the body is no JSON" : limits.fault);
  json document = json::parse(body, nullptr, false);
  if (!document.is_object()) return fail("the body must be a JSON object");
  return document;
}

std::optional<ConfigPart> part_called(std::string_view name) {
  const auto* found = std::ranges::find(config_parts, name, part_name);
  return found == config_parts.end() ? std::nullopt : std::optional(*found);
}

Result<> check_name(const std::string& name) {
  const bool yaml = name.ends_with(".yaml") || name.ends_with(".yml");
  const bool plain = std::ranges::none_of(
      name, [](char c) { return c == '/' || c == '\\' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (yaml && plain && !name.starts_with('.') && name.size() <= longest_name) return {};
  return fail("`" + name.substr(0, longest_name) + "` is no plain file name ending in .yaml or .yml");
}

Result<ConfigFile> file_from(const std::string& where, const json& value) {
  const auto* encoded = value.get_ptr<const std::string*>();
  if (encoded == nullptr) return fail(where + " must be a text in base64");
  auto text = base64_decoded(*encoded);
  if (!text) return fail(where + " is not valid base64");
  return ConfigFile{.text = *std::move(text)};
}

Result<ConfigFiles> files_from(ConfigPart part, const json& value) {
  const std::string name(part_name(part));
  ConfigFiles out;
  if (!is_folder(part)) {
    auto file = file_from("`" + name + "`", value);
    if (!file) return std::unexpected(file.error());
    out.emplace(part_path(part), *std::move(file));
    return out;
  }
  if (!value.is_object()) return fail("`" + name + "` must be a map of file names to texts in base64");
  for (const auto& [file_name, text] : value.items()) {
    if (auto plain = check_name(file_name); !plain) return std::unexpected(plain.error());
    std::string where = "`" + name;
    where.append(".").append(file_name).append("`");
    auto file = file_from(where, text);
    if (!file) return std::unexpected(file.error());
    out.emplace(part_path(part) + "/" + file_name, *std::move(file));
  }
  return out;
}

Result<ConfigChange> change_from(const json& members) {
  ConfigChange change;
  for (const auto& [name, value] : members.items()) {
    const auto part = part_called(name);
    if (!part) return fail("unknown member `" + name + "`; known: flows, quotas, path_params, gateway_config, metrics");
    if (value.is_null()) continue;
    auto files = files_from(*part, value);
    if (!files) return std::unexpected(files.error());
    change.parts.emplace(*part, *std::move(files));
  }
  return change;
}

bool wanted(const json& value) {
  return !value.is_null() && value != json(false) && !(value.is_array() && value.empty());
}

// The only member that asks for something, because false, null and [] do not.
Result<std::pair<std::string, json>> only_member(const json& object, const std::string& where) {
  if (!object.is_object()) return fail("`" + where + "` must be an object");
  std::optional<std::pair<std::string, json>> only;
  for (const auto& [name, value] : object.items()) {
    if (!wanted(value)) continue;
    if (only) return fail("`" + where + "` must have exactly one member");
    only.emplace(name, value);
  }
  if (!only) return fail("`" + where + "` must have exactly one member");
  return *std::move(only);
}

Result<> read_removed(ConfigOperation& operation, ConfigPart part, const json& names) {
  for (const json& name : names.is_array() ? names : json::array({names})) {
    const auto* text = name.get_ptr<const std::string*>();
    if (text == nullptr)
      return fail("`" + std::string(part_name(part)) + "` by name: give the name of a file, or a list");
    if (auto plain = check_name(*text); !plain) return plain;
    operation.removed.emplace_back(part, part_path(part) + "/" + *text);
  }
  return {};
}

Result<> read_delete(ConfigOperation& operation, const json& value) {
  auto member = only_member(value, "delete");
  if (!member) return std::unexpected(member.error());
  const auto& [name, argument] = *member;
  if (name == "flow_by_name") return read_removed(operation, ConfigPart::flows, argument);
  if (name == "quota_by_name") return read_removed(operation, ConfigPart::quotas, argument);
  if (name == "path_param_by_name") return read_removed(operation, ConfigPart::path_params, argument);
  const auto part = part_called(name);
  if (!part && name != "all") return fail("`delete` knows no `" + name + "`");
  if (argument != json(true) && !argument.is_object()) return fail("`delete." + name + "` must be true");
  for (const ConfigPart one : config_parts)
    if (!part || one == *part) operation.change.parts[one] = {};
  return {};
}

Result<> read_update(ConfigOperation& operation, const json& value) {
  if (!value.is_object()) return fail("`update` must be an object");
  auto change = change_from(value);
  if (!change) return std::unexpected(change.error());
  if (change->parts.empty()) return fail("`update` names nothing that is to be replaced");
  operation.change = *std::move(change);
  return {};
}

Result<> read_restore(ConfigOperation& operation, const json& value) {
  const auto found = value.is_object() ? value.find("checkpoint") : value.end();
  const auto* name = found == value.end() ? nullptr : found->get_ptr<const std::string*>();
  if (name == nullptr || value.size() != 1)
    return fail("`restore` must have the member `checkpoint` with the name of a backup");
  operation.checkpoint = *name;
  return {};
}

Result<> read_get(const json& value) {
  const bool plain = value.is_object() && (value.empty() || (value.size() == 1 && value.contains("all")));
  if (!plain) return fail("`get` takes the member `all` alone");
  return {};
}

}  // namespace

std::string_view part_name(ConfigPart part) {
  constexpr std::array<std::string_view, 5> names{"flows", "quotas", "path_params", "gateway_config", "metrics"};
  return names[static_cast<size_t>(part)];
}

bool is_folder(ConfigPart part) { return part < ConfigPart::gateway_config; }

std::string part_path(ConfigPart part) { return std::string(part_name(part)) + (is_folder(part) ? "" : ".yaml"); }

Result<ConfigChange> config_change_from(std::string_view body) {
  auto document = object_from(body);
  if (!document) return std::unexpected(document.error());
  return change_from(*document);
}

Result<ConfigOperation> config_operation_from(std::string_view body) {
  auto document = object_from(body);
  if (!document) return std::unexpected(document.error());
  if (document->size() != 1 || !document->contains("operation")) return fail("the body must be {\"operation\": {..}}");
  auto member = only_member((*document)["operation"], "operation");
  if (!member) return std::unexpected(member.error());
  const auto& [name, value] = *member;
  ConfigOperation out;
  Result<> read = fail("there is no operation `" + name + "`; known: get, init, update, delete, restore");
  if (name == "get") {
    out.kind = ConfigOperation::Kind::get;
    read = read_get(value);
  } else if (name == "init") {
    out.kind = ConfigOperation::Kind::init;
    read = value == json::object() || value == json(true) ? Result<>{} : fail("`init` takes no members");
  } else if (name == "update") {
    out.kind = ConfigOperation::Kind::update;
    read = read_update(out, value);
  } else if (name == "delete") {
    out.kind = ConfigOperation::Kind::remove;
    read = read_delete(out, value);
  } else if (name == "restore") {
    out.kind = ConfigOperation::Kind::restore;
    read = read_restore(out, value);
  }
  if (!read) return std::unexpected(read.error());
  return out;
}

json payload_of(const ConfigChange& change) {
  json out = json::object();
  for (const auto& [part, files] : change.parts) {
    const std::string name(part_name(part));
    if (!is_folder(part)) {
      if (!files.empty()) out[name] = base64(files.begin()->second.text);
      continue;
    }
    out[name] = json::object();
    for (const auto& [path, file] : files) out[name][path.substr(part_path(part).size() + 1)] = base64(file.text);
  }
  return out;
}

namespace {

std::vector<SourceFile> sources_of(const ConfigFiles& files) {
  std::vector<SourceFile> out;
  for (const auto& [path, file] : files) out.push_back({path, file.text});
  return out;
}

std::optional<SourceFile> only_source_of(const ConfigFiles& files) {
  if (files.empty()) return std::nullopt;
  return SourceFile{files.begin()->first, files.begin()->second.text};
}

void set_part(Sources& sources, ConfigPart part, const ConfigFiles& files) {
  switch (part) {
    case ConfigPart::flows:
      sources.flows = sources_of(files);
      break;
    case ConfigPart::quotas:
      sources.quotas = sources_of(files);
      break;
    case ConfigPart::path_params:
      sources.path_params = sources_of(files);
      break;
    case ConfigPart::gateway_config:
      sources.gateway_config = only_source_of(files);
      break;
    case ConfigPart::metrics:
      sources.metrics = only_source_of(files);
      break;
  }
}

}  // namespace

void overlay(ConfigFolder& folder, const ConfigChange& change) {
  for (const auto& [part, files] : change.parts) set_part(folder.sources, part, files);
  Diagnostics kept;
  for (const Diagnostic& finding : folder.unreadable.list()) {
    const bool replaced = std::ranges::any_of(change.parts, [&finding](const auto& one) {
      const std::string path = part_path(one.first);
      return finding.file == path || finding.file.starts_with(path + "/");
    });
    if (!replaced) kept.add(finding);
  }
  folder.unreadable = std::move(kept);
}

}  // namespace lunar
