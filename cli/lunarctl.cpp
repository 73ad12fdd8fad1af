#include "cli/lunarctl.h"

#include <algorithm>
#include <ostream>
#include <utility>

#include "cli/configuration.h"
#include "cli/verbs.h"
#include "flowengine/spelling.h"

namespace lunar::cli {
namespace {

using Arguments = std::vector<std::string>;

bool takes_value(const std::string& argument) { return argument == "--socket" || argument == "--config-dir"; }

// Position of the first word that is neither an option nor the value of one, from `at` on.
size_t find_word(const Arguments& arguments, size_t at) {
  while (at < arguments.size() && arguments[at].starts_with('-') && arguments[at] != "--")
    at += takes_value(arguments[at]) ? 2 : 1;
  return std::min(at, arguments.size());
}

// What follows `run` and its options is somebody else's command line: the parser never sees it.
Arguments take_command(Arguments& arguments) {
  const size_t verb = find_word(arguments, 0);
  if (verb == arguments.size() || arguments[verb] != "run") return {};
  const size_t begin = find_word(arguments, verb + 1);
  const size_t first = begin < arguments.size() && arguments[begin] == "--" ? begin + 1 : begin;
  Arguments command(arguments.begin() + static_cast<ptrdiff_t>(first), arguments.end());
  arguments.resize(begin);
  return command;
}

int usage_error(const Session& session, const std::string& text) {
  complain(session, text, wire::Exit::usage);
  session.terminal.err << "try `lunarctl --help`\n";
  return code(wire::Exit::usage);
}

std::string unknown_verb(const std::string& word) {
  std::vector<std::string_view> names;
  for (const Verb& verb : verbs()) names.emplace_back(verb.name);
  const std::string_view near = nearest_name(word, names);
  return "unknown verb `" + word + "`" + (near.empty() ? "" : "; did you mean `" + std::string(near) + "`?");
}

bool is_verb(const std::string& word) {
  return std::any_of(verbs().begin(), verbs().end(), [&word](const Verb& verb) { return word == verb.name; });
}

// What is wrong, in the words of the verb where it only lacks its second word.
std::string parse_fault(const CLI::App& parser, const std::string& verb, const CLI::ParseError& error) {
  if (!is_verb(verb)) return verb.empty() ? "name a verb" : error.what();
  const CLI::App* used = parser.get_subcommand(verb);
  std::string words;
  for (const CLI::App* one : used->get_subcommands([](const CLI::App*) { return true; })) {
    words += (words.empty() ? "`" : ", `") + verb + " " + one->get_name() + "`";
  }
  const bool lacks_word = !words.empty() && used->get_subcommands().empty();
  return lacks_word ? "say one of " + words : error.what();
}

}  // namespace

int lunarctl(Arguments arguments, const Terminal& terminal) {
  Session session{terminal};
  Action chosen;
  session.command = take_command(arguments);
  const auto parser = make_parser(session, chosen);
  session.config_dir = default_config_dir();  // after the help text got the one that needs no environment
  const size_t at = find_word(arguments, 0);
  const std::string verb = at < arguments.size() ? arguments[at] : "";
  const bool after_option = at > 0 && arguments[at - 1].starts_with('-') && arguments[at - 1] != "--json";
  if (!verb.empty() && !is_verb(verb) && !after_option) return usage_error(session, unknown_verb(verb));
  try {
    std::reverse(arguments.begin(), arguments.end());  // the order that this parser wants
    parser->parse(std::move(arguments));
    return chosen();
  } catch (const CLI::CallForHelp& help) {
    return parser->exit(help, terminal.out, terminal.err);
  } catch (const CLI::ParseError& error) {
    return usage_error(session, parse_fault(*parser, verb, error));
  }
}

}  // namespace lunar::cli
