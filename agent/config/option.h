// One setting, described once: where it lives, how it is spelt everywhere, what it may be, and what it is for.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "agent/config/lunard_config.h"
#include "flowengine/result.h"

namespace lunar {

// The member of LunardConfig that an option sets.
template <class T>
using Member = T& (*)(LunardConfig&);

struct FlagOption {
  Member<bool> member;
};
struct IntegerOption {
  Member<uint32_t> member;
  uint32_t low, high;  // the largest value of the type: no upper limit
};
struct AutoIntegerOption {  // or `auto`
  Member<std::optional<uint32_t>> member;
  uint32_t low, high;
};
struct DurationOption {
  Member<Milliseconds> member;
  Milliseconds low, high;
};
struct AutoDurationOption {  // or `auto`
  Member<std::optional<Milliseconds>> member;
  Milliseconds low, high;
};
struct SizeOption {
  Member<uint64_t> member;
  uint64_t low, high;
};
struct TextOption {
  Member<std::string> member;
  std::string_view kind;    // for help: PATH, NAME, URL
  bool may_be_off = false;  // `off` means the empty text
};
struct ListenerOption {  // ADDRESS:PORT or `off`
  Member<std::optional<Endpoint>> member;
};
struct ListOption {
  Member<std::vector<std::string>> member;
};
struct ChoiceOption {
  uint8_t& (*member)(LunardConfig&);  // the enumeration, whose order is that of the names
  std::span<const std::string_view> names;
};

using OptionType = std::variant<FlagOption, IntegerOption, AutoIntegerOption, DurationOption, AutoDurationOption,
                                SizeOption, TextOption, ListenerOption, ListOption, ChoiceOption>;

// A variable may be spelt differently from the file: `translate` gives the file's spelling, or nullopt when the
// variable leaves the setting alone. `current` is the value so far, in the file's spelling.
struct Variable {
  std::string_view name;
  Result<std::optional<std::string>> (*translate)(std::string_view value, std::string_view current);
};

enum class OptionScope : uint8_t {
  everywhere,   // file, environment if it has a variable, command line
  environment,  // environment only
  process,      // environment and command line: needed before the file is found
};

struct Option {
  std::string_view path;  // in lunard.yaml
  OptionType type;
  std::string_view fallback;             // default, in the spelling of the file
  std::string_view help;                 // one clause without full stop
  std::vector<Variable> variables = {};  // a later one wins
  OptionScope scope = OptionScope::everywhere;
  bool secret = false;

  [[nodiscard]] bool in_file() const { return scope == OptionScope::everywhere; }
  [[nodiscard]] bool on_command_line() const { return scope != OptionScope::environment; }
};

[[nodiscard]] std::span<const Option> option_table();
[[nodiscard]] const Option* find_option(std::string_view path);

// All from the table entry: the error says what was wanted, with ERANGE for a value of the right type.
[[nodiscard]] Result<> set_option(const Option& option, std::string_view text, LunardConfig& config);
[[nodiscard]] std::string option_value(const Option& option, const LunardConfig& config);  // set_option reads it back
[[nodiscard]] std::string option_flag(const Option& option);                               // --timeouts-connect
[[nodiscard]] std::string option_metavar(const Option& option);                            // DURATION
[[nodiscard]] std::string option_range(const Option& option);                              // 1s-1h, or empty

}  // namespace lunar
