#include "cli/manual.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/verbs.h"
#include "tests/cli/folder.h"

using namespace lunar::cli;

namespace {

struct Parser {
  std::ostringstream sink;
  Session session{{sink, sink}};
  Action chosen;
  std::unique_ptr<CLI::App> app = make_parser(session, chosen);
};

std::string without_escapes(std::string text) {
  std::erase(text, '\\');
  return text;
}

void check_options(const CLI::App& app, const std::string& manual) {
  for (const CLI::Option* option : app.get_options()) {
    if (option == app.get_help_ptr()) continue;
    const std::string name = option->get_name();
    CAPTURE(name);
    CHECK_FALSE(option->get_description().empty());
    CHECK(manual.find(option->get_description()) != std::string::npos);
    for (const std::string& long_name : option->get_lnames()) CHECK(manual.find("--" + long_name) != std::string::npos);
  }
}

}  // namespace

TEST_CASE("manual: names every verb and every option with its help") {
  Parser parser;
  const std::string manual = without_escapes(write_manual(*parser.app, "1.2.3"));
  CHECK(manual.starts_with(".TH LUNARCTL 1"));
  for (const Verb& verb : verbs()) {
    CAPTURE(verb.name);
    CHECK(manual.find(std::string(".SS \"") + verb.name) != std::string::npos);
    CHECK(manual.find(verb.summary) != std::string::npos);
    const CLI::App* sub = parser.app->get_subcommand(verb.name);
    check_options(*sub, manual);
    for (const CLI::App* word : sub->get_subcommands([](const CLI::App*) { return true; })) {
      CAPTURE(word->get_name());
      CHECK(manual.find("\n.B " + word->get_name()) != std::string::npos);
      CHECK(manual.find(word->get_description()) != std::string::npos);
      check_options(*word, manual);
    }
  }
}

TEST_CASE("completion: the scripts of all shells know every verb and option") {
  Parser parser;
  for (const char* shell : {"bash", "zsh", "fish"}) {
    CAPTURE(shell);
    const std::string script = write_completion(*parser.app, shell).value();
    for (const Verb& verb : verbs()) {
      CAPTURE(verb.name);
      CHECK(script.find(verb.name) != std::string::npos);
    }
    CHECK(script.find("reset-existing") != std::string::npos);
    CHECK(script.find("bypass") != std::string::npos);
    CHECK(script.find("strict") != std::string::npos);
  }
  CHECK_FALSE(write_completion(*parser.app, "tcsh"));
}

TEST_CASE("completion: bash completes verbs, their words and their options") {
  Parser parser;
  const testing::Folder directory;
  const std::string script = directory.path / "completion";
  std::ofstream(script) << write_completion(*parser.app, "bash").value()
                        << "COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _lunarctl; echo \"${COMPREPLY[*]}\"\n";
  const auto completed = [&](const std::string& words) {
    const std::string answer = directory.path / "answer";
    REQUIRE(std::system(("bash " + script + " " + words + " > " + answer).c_str()) == 0);
    std::ifstream file(answer);
    std::string line;
    std::getline(file, line);
    return line;
  };
  CHECK(completed("lunarctl att") == "attach attachments");
  CHECK(completed("lunarctl --socket x --json fa") == "failsafe");
  CHECK(completed("lunarctl failsafe by") == "bypass");
  CHECK(completed("lunarctl attach --res") == "--reset-existing");
  CHECK(completed("lunarctl flows gr") == "graph");
  CHECK(completed("lunarctl flows validate --st") == "--strict");
  CHECK(completed("lunarctl ca in") == "init install");
  CHECK(completed("lunarctl ca env --un") == "--unit --undo");
}
