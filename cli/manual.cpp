#include "cli/manual.h"

#include <algorithm>
#include <vector>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

// Text for troff: hyphens of options are real ones, and no line begins with a control character.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char byte : text) {
    if (byte == '\\') {
      out += "\\e";
    } else if (byte == '-') {
      out += "\\-";
    } else {
      out += byte;
    }
  }
  return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

// Without what validators add to it.
std::string type_name(const CLI::Option& option) {
  const std::string name = option.get_type_name();
  return name.substr(0, name.find(':'));
}

std::string option_names(const CLI::Option& option) {
  std::string names;
  for (const std::string& name : option.get_snames()) names += (names.empty() ? "-" : ", -") + name;
  for (const std::string& name : option.get_lnames()) names += (names.empty() ? "--" : ", --") + name;
  if (option.get_positional()) return type_name(option);
  const bool takes_value = option.get_type_size() > 0 && option.get_expected_max() > 0;
  return takes_value ? names + " " + type_name(option) : names;
}

void write_options(std::string& out, const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option == app.get_help_ptr() && app.get_parent() != nullptr) continue;
    out += ".TP\n.B " + escaped(option_names(*option)) + "\n" + escaped(option->get_description());
    if (!option->get_default_str().empty()) out += " (default " + escaped(option->get_default_str()) + ")";
    out += ".\n";
  }
}

std::string synopsis(const CLI::App& verb) {
  std::string text = verb.get_name();
  bool has_options = false;
  for (const CLI::Option* option : verb.get_options())
    has_options = has_options || !(option->get_positional() || option == verb.get_help_ptr());
  const auto subcommands = verb.get_subcommands([](const CLI::App*) { return true; });
  std::string choices;
  for (const CLI::App* one : subcommands) choices += (choices.empty() ? "" : "|") + one->get_name();
  if (!choices.empty()) text += " " + choices;
  if (has_options) text += " [OPTION]...";
  for (const CLI::Option* option : verb.get_options()) {
    if (option->get_positional())
      text += option->get_required() ? " " + type_name(*option) : " [" + type_name(*option) + "]";
  }
  if (verb.get_name() == "run") text += " [--] COMMAND [ARGUMENT]...";
  return text;
}

void write_verb(std::string& out, const CLI::App& verb, const std::string& description) {
  out += ".SS \"" + escaped(synopsis(verb)) + "\"\n" + escaped(verb.get_description()) + ".\n";
  if (!description.empty()) out += ".PP\n" + escaped(description) + "\n";
  write_options(out, verb);
  for (const CLI::App* one : verb.get_subcommands([](const CLI::App*) { return true; })) {
    out += ".TP\n.B " + escaped(synopsis(*one)) + "\n" + escaped(one->get_description()) + ".\n";
    if (one->get_options().size() < 2) continue;  // --help alone
    out += ".RS\n";
    write_options(out, *one);
    out += ".RE\n";
  }
}

constexpr std::string_view kClosing = R"(.SH EXIT STATUS
.TP
.B 0
It worked.
.TP
.B 1
The daemon refused, or the operation failed;
.B doctor
found something that is in the way,
.B flows validate
an error and
.B flows test
a difference.
.TP
.B 2
Wrong usage, or a configuration folder that cannot be read.
.TP
.B 3
No daemon listens on the control socket.
.TP
.B 4
Permission refused.
.PP
.B run
exits with the code of its command.
.SH ENVIRONMENT
.TP
.B NO_COLOR
If set and not empty, nothing is coloured.
.TP
.BR LUNAR_CONFIG_DIR ", " LUNAR_PROXY_CONFIG_DIR
The configuration directory, where no option names it.
.SH FILES
.TP
.I /etc/lunar
The configuration directory.
.TP
.I /run/lunar/lunard.sock
The control socket. Root and the members of its group (by default
.BR lunar )
may use it; it speaks HTTP/1.1 with JSON, so that
.B curl \-\-unix\-socket
works as well.
.SH SEE ALSO
.BR lunard (8),
.BR lunard.yaml (5)
)";

// Verbs, or the words of a verb, then options.
std::string joined_names(const CLI::App& app, bool options) {
  const auto words = app.get_subcommands([](const CLI::App*) { return true; });
  std::vector<std::string> names;
  for (const CLI::App* one : words) names.push_back(one->get_name());
  const auto add_options = [&names](const CLI::App& owner) {
    for (const CLI::Option* option : owner.get_options()) {
      for (const std::string& name : option->get_lnames())
        if (std::ranges::find(names, "--" + name) == names.end()) names.push_back("--" + name);
    }
  };
  if (options) add_options(app);
  if (options && app.get_parent() != nullptr)
    for (const CLI::App* one : words) add_options(*one);
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : " ") + name;
  return out;
}

// Completes the verb, then the options and words of that verb.
std::string bash_script(const CLI::App& app) {
  std::string out =
      "# bash completion for lunarctl\n_lunarctl() {\n"
      "  local cur=${COMP_WORDS[COMP_CWORD]} verb= words= i\n"
      "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
      "    case ${COMP_WORDS[i]} in\n      --socket|--config-dir) i=$((i + 1)) ;;\n      -*) ;;\n"
      "      *) verb=${COMP_WORDS[i]}; break ;;\n    esac\n  done\n"
      "  case $verb in\n    '') words='" +
      joined_names(app, true) + "' ;;\n";
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->get_name() == "run") continue;
    out += "    " + verb->get_name() + ") words='" + joined_names(*verb, true) + " --json --socket --config-dir' ;;\n";
  }
  return out +
         "    run) if declare -F _command_offset >/dev/null; then _command_offset $((i + 1)); return; fi ;;\n"
         "  esac\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\n"
         "complete -o default -F _lunarctl lunarctl\n";
}

std::string shell_quoted(std::string_view text) {
  std::string out = "'";
  for (const char byte : text) out += byte == '\'' ? "'\\''" : std::string(1, byte);
  return out + "'";
}

std::string zsh_script(const CLI::App& app) {
  std::string out = "#compdef lunarctl\n_lunarctl() {\n  local -a verbs\n  verbs=(\n";
  for (const Verb& verb : verbs()) out += "    " + shell_quoted(std::string(verb.name) + ":" + verb.summary) + "\n";
  out +=
      "  )\n  local i verb=\n  for ((i = 2; i < CURRENT; i++)); do\n    case $words[i] in\n"
      "      --socket|--config-dir) ((i++)) ;;\n      -*) ;;\n      *) verb=$words[i]; break ;;\n    esac\n  done\n"
      "  case $verb in\n    '') _describe verb verbs; compadd -- --socket --config-dir --json ;;\n"
      "    run) words=($words[i+1,-1]); ((CURRENT -= i)); _normal ;;\n";
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (verb->get_name() == "run") continue;
    out +=
        "    " + verb->get_name() + ") compadd -- " + joined_names(*verb, true) + " --json --socket --config-dir ;;\n";
  }
  return out + "  esac\n}\n_lunarctl \"$@\"\n";
}

void fish_words(std::string& out, const CLI::App& app, const std::string& condition) {
  const std::string prefix = "complete -c lunarctl -n " + shell_quoted(condition);
  for (const CLI::App* one : app.get_subcommands([](const CLI::App*) { return true; })) {
    out += prefix + " -f -a " + one->get_name() + " -d " + shell_quoted(one->get_description()) + "\n";
  }
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      out.append(prefix).append(" -l ").append(name).append(" -d ").append(shell_quoted(option->get_description()));
      out += '\n';
    }
  }
}

std::string fish_script(const CLI::App& app) {
  std::string out = "# fish completion for lunarctl\n";
  fish_words(out, app, "__fish_use_subcommand");
  for (const CLI::App* verb : app.get_subcommands([](const CLI::App*) { return true; })) {
    fish_words(out, *verb, "__fish_seen_subcommand_from " + verb->get_name());
    for (const CLI::App* word : verb->get_subcommands([](const CLI::App*) { return true; }))
      fish_words(
          out, *word,
          "__fish_seen_subcommand_from " + verb->get_name() + "; and __fish_seen_subcommand_from " + word->get_name());
  }
  return out;
}

}  // namespace

std::string write_manual(const CLI::App& app, std::string_view version) {
  std::string out = ".TH LUNARCTL 1 \"\" \"lunar " + std::string(version) + "\" \"Lunar\"\n.SH NAME\nlunarctl \\- " +
                    "control lunard, the egress gateway\n.SH SYNOPSIS\n.B lunarctl\n[OPTION]... VERB [ARGUMENT]...\n" +
                    ".SH DESCRIPTION\n" + escaped(app.get_description()) + "\n.SH OPTIONS\n";
  write_options(out, app);
  out += ".SH VERBS\n";
  for (const Verb& verb : verbs()) write_verb(out, *app.get_subcommand(verb.name), verb.description);
  return out + std::string(kClosing);
}

std::optional<std::string> write_completion(const CLI::App& app, std::string_view shell) {
  if (shell == "bash") return bash_script(app);
  if (shell == "zsh") return zsh_script(app);
  if (shell == "fish") return fish_script(app);
  return std::nullopt;
}

}  // namespace lunar::cli
