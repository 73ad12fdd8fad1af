// The environment of a systemd unit: what its files set, and a drop-in that adds to it. Pure (systemd.exec(5),
// systemd.syntax(7)).
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lunar::cli {

struct UnitFile {
  std::string path;
  std::string text;
};

struct UnitSetting {
  std::string value;  // without quotes, escapes and specifiers as they are written
  std::string path;   // of the file that has the last word
};

struct UnitEnvironment {
  std::map<std::string, UnitSetting, std::less<>> variables;  // of Environment=
  std::vector<std::pair<std::string, std::string>> files;     // of EnvironmentFile=: with the `-`, and who names it
};

// `shop.service`: the type is added where there is none. Empty: not the name of a unit that has an environment.
[[nodiscard]] std::string unit_name(std::string_view given);
// The section that the environment is set in: Service, Socket, Mount, Swap.
[[nodiscard]] std::string section_of(std::string_view unit);

// In the order in which systemd reads them, later ones on top.
[[nodiscard]] UnitEnvironment environment_of(std::span<const UnitFile> files, std::string_view section);

// Names that an EnvironmentFile= sets.
[[nodiscard]] std::vector<std::string> names_in_environment_file(std::string_view text);

// A text as it stands in a value: its backslashes, quotes and specifiers are taken literally.
[[nodiscard]] std::string escaped_value(std::string_view text);

// Values as UnitSetting has them.
using Assignments = std::vector<std::pair<std::string, std::string>>;
[[nodiscard]] std::string dropin_text(std::string_view unit, const Assignments& assignments);

// What our drop-in sets, and why it leaves out the rest. `wanted` are plain texts.
struct DropinPlan {
  Assignments assignments;
  std::vector<std::string> notes;
};
[[nodiscard]] DropinPlan plan_dropin(const UnitEnvironment& unit, const Assignments& wanted);

}  // namespace lunar::cli
