#include "agent/config/option.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>

#include "flowengine/quantity.h"

namespace lunar {
namespace {

constexpr uint64_t no_size_limit = std::numeric_limits<int64_t>::max();

template <class... Visitors>
struct Overloaded : Visitors... {
  using Visitors::operator()...;
};

std::string quoted(std::string_view text) { return "\"" + std::string(text) + "\""; }

std::optional<uint32_t> whole_number(std::string_view text) {
  uint32_t out = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return out;
}

std::optional<bool> boolean(std::string_view text) {
  std::string word(text);
  std::ranges::transform(word, word.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  if (word == "true" || word == "yes" || word == "on" || word == "1") return true;
  if (word == "false" || word == "no" || word == "off" || word == "0") return false;
  return std::nullopt;
}

std::string range(uint64_t low, uint64_t high, uint64_t unlimited, std::string (*text)(uint64_t)) {
  return high == unlimited ? ">= " + text(low) : text(low) + "-" + text(high);
}

std::string number_text(uint64_t value) { return std::to_string(value); }

std::string range_of(uint32_t low, uint32_t high) {
  return range(low, high, std::numeric_limits<uint32_t>::max(), number_text);
}
std::string range_of(Milliseconds low, Milliseconds high) { return duration_text(low) + "-" + duration_text(high); }

Result<uint32_t> read_integer(std::string_view text, uint32_t low, uint32_t high) {
  auto value = whole_number(text);
  if (!value) return fail("expected an integer, found " + quoted(text));
  if (*value < low || *value > high)
    return fail(quoted(text) + " is out of range (" + range_of(low, high) + ")", ERANGE);
  return *value;
}

Result<Milliseconds> read_duration(std::string_view text, Milliseconds low, Milliseconds high) {
  auto value = parse_duration(text);
  bool unit_missing = !value && parse_size(text).has_value();
  if (unit_missing) return fail(quoted(text) + " has no unit; write for example " + std::string(text) + "s");
  if (!value) return fail("expected a duration with ms, s, m or h, found " + quoted(text));
  if (*value < low || *value > high)
    return fail(quoted(text) + " is out of range (" + range_of(low, high) + ")", ERANGE);
  return *value;
}

template <class Optional, class Read>
Result<> set_or_auto(Optional& member, std::string_view text, Read read) {
  member.reset();
  if (text == "auto") return {};
  auto value = read(text);
  if (!value) return std::unexpected(value.error());
  member = *value;
  return {};
}

Result<> set_size(const SizeOption& type, std::string_view text, LunardConfig& config) {
  auto value = parse_size(text);
  if (!value) return fail("expected a size, as 4096, 10KiB, 4MiB or 1GiB, found " + quoted(text));
  if (*value < type.low || *value > type.high)
    return fail(quoted(text) + " is out of range (" + range(type.low, type.high, no_size_limit, size_text) + ")",
                ERANGE);
  type.member(config) = *value;
  return {};
}

Result<> set_text(const TextOption& type, std::string_view text, LunardConfig& config) {
  bool has_control =
      std::ranges::any_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  if (has_control) return fail("a control character in the text");
  type.member(config) = type.may_be_off && text == "off" ? std::string_view{} : text;
  return {};
}

Result<> set_listener(const ListenerOption& type, std::string_view text, LunardConfig& config) {
  auto endpoint = Endpoint::parse(text);
  if (!endpoint && text != "off")
    return fail("expected an address with a port, as 127.0.0.1:8000 or [::1]:8000, or off, found " + quoted(text));
  type.member(config) = endpoint;
  return {};
}

Result<> set_list(const ListOption& type, std::string_view text, LunardConfig& config) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::string_view item = text.substr(0, text.find(','));
    text.remove_prefix(std::min(item.size() + 1, text.size()));
    while (item.starts_with(' ')) item.remove_prefix(1);
    while (item.ends_with(' ')) item.remove_suffix(1);
    if (!item.empty()) out.emplace_back(item);
  }
  type.member(config) = std::move(out);
  return {};
}

Result<> set_choice(const ChoiceOption& type, std::string_view text, LunardConfig& config) {
  auto found = std::ranges::find(type.names, text);
  if (found != type.names.end()) {
    type.member(config) = static_cast<uint8_t>(found - type.names.begin());
    return {};
  }
  std::string listed;
  for (std::string_view name : type.names) listed += (listed.empty() ? "" : ", ") + std::string(name);
  return fail(quoted(text) + " is not one of " + listed, ERANGE);
}

std::string joined(const std::vector<std::string>& items) {
  std::string out;
  for (const std::string& item : items) out += (out.empty() ? "" : ",") + item;
  return out;
}

std::string or_off(const std::optional<Endpoint>& endpoint) { return endpoint ? endpoint->text() : "off"; }

}  // namespace

const Option* find_option(std::string_view path) {
  auto found = std::ranges::find(option_table(), path, &Option::path);
  return found == option_table().end() ? nullptr : &*found;
}

Result<> set_option(const Option& option, std::string_view text, LunardConfig& config) {
  auto set = [](auto& member, auto value) -> Result<> {
    if (!value) return std::unexpected(value.error());
    member = *value;
    return {};
  };
  return std::visit(
      Overloaded{
          [&](const FlagOption& type) -> Result<> {
            auto value = boolean(text);
            if (!value) return fail("expected true or false, found " + quoted(text));
            type.member(config) = *value;
            return {};
          },
          [&](const IntegerOption& type) { return set(type.member(config), read_integer(text, type.low, type.high)); },
          [&](const AutoIntegerOption& type) {
            auto read = [&](std::string_view word) { return read_integer(word, type.low, type.high); };
            return set_or_auto(type.member(config), text, read);
          },
          [&](const DurationOption& type) {
            return set(type.member(config), read_duration(text, type.low, type.high));
          },
          [&](const AutoDurationOption& type) {
            auto read = [&](std::string_view word) { return read_duration(word, type.low, type.high); };
            return set_or_auto(type.member(config), text, read);
          },
          [&](const SizeOption& type) { return set_size(type, text, config); },
          [&](const TextOption& type) { return set_text(type, text, config); },
          [&](const ListenerOption& type) { return set_listener(type, text, config); },
          [&](const ListOption& type) { return set_list(type, text, config); },
          [&](const ChoiceOption& type) { return set_choice(type, text, config); },
      },
      option.type);
}

std::string option_value(const Option& option, const LunardConfig& from) {
  // The members are named once, for writing; reading through them changes nothing.
  auto& config = const_cast<LunardConfig&>(from);
  return std::visit(Overloaded{
                        [&](const FlagOption& type) -> std::string { return type.member(config) ? "true" : "false"; },
                        [&](const IntegerOption& type) { return std::to_string(type.member(config)); },
                        [&](const AutoIntegerOption& type) -> std::string {
                          return type.member(config) ? std::to_string(*type.member(config)) : "auto";
                        },
                        [&](const DurationOption& type) { return duration_text(type.member(config)); },
                        [&](const AutoDurationOption& type) -> std::string {
                          return type.member(config) ? duration_text(*type.member(config)) : "auto";
                        },
                        [&](const SizeOption& type) { return size_text(type.member(config)); },
                        [&](const TextOption& type) -> std::string {
                          return type.may_be_off && type.member(config).empty() ? "off" : type.member(config);
                        },
                        [&](const ListenerOption& type) { return or_off(type.member(config)); },
                        [&](const ListOption& type) { return joined(type.member(config)); },
                        [&](const ChoiceOption& type) { return std::string(type.names[type.member(config)]); },
                    },
                    option.type);
}

std::string option_flag(const Option& option) {
  std::string out = "--" + std::string(option.path);
  std::ranges::replace_if(out, [](char c) { return c == '.' || c == '_'; }, '-');
  return out;
}

std::string option_metavar(const Option& option) {
  return std::visit(Overloaded{
                        [](const FlagOption&) -> std::string { return "BOOLEAN"; },
                        [](const IntegerOption&) -> std::string { return "INTEGER"; },
                        [](const AutoIntegerOption&) -> std::string { return "INTEGER|auto"; },
                        [](const DurationOption&) -> std::string { return "DURATION"; },
                        [](const AutoDurationOption&) -> std::string { return "DURATION|auto"; },
                        [](const SizeOption&) -> std::string { return "SIZE"; },
                        [](const TextOption& type) { return std::string(type.kind) + (type.may_be_off ? "|off" : ""); },
                        [](const ListenerOption&) -> std::string { return "ADDRESS:PORT|off"; },
                        [](const ListOption&) -> std::string { return "LIST"; },
                        [](const ChoiceOption& type) {
                          std::string out;
                          for (std::string_view name : type.names) out += (out.empty() ? "" : "|") + std::string(name);
                          return out;
                        },
                    },
                    option.type);
}

std::string option_range(const Option& option) {
  return std::visit(Overloaded{
                        [](const IntegerOption& type) { return range_of(type.low, type.high); },
                        [](const AutoIntegerOption& type) { return range_of(type.low, type.high); },
                        [](const DurationOption& type) { return range_of(type.low, type.high); },
                        [](const AutoDurationOption& type) { return range_of(type.low, type.high); },
                        [](const SizeOption& type) { return range(type.low, type.high, no_size_limit, size_text); },
                        [](const auto&) { return std::string(); },
                    },
                    option.type);
}

}  // namespace lunar
