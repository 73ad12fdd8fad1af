#include "cli/manual.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>

#include "cli/verbs.h"
#include "tests/admin/loopback.h"

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
    for (const CLI::Option* option : sub->get_options()) {
      if (option == sub->get_help_ptr()) continue;
      const std::string name = option->get_name();
      CAPTURE(name);
      CHECK_FALSE(option->get_description().empty());
      CHECK(manual.find(option->get_description()) != std::string::npos);
      for (const std::string& long_name : option->get_lnames())
        CHECK(manual.find("--" + long_name) != std::string::npos);
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
  }
  CHECK_FALSE(write_completion(*parser.app, "tcsh"));
}

TEST_CASE("completion: bash completes verbs, their words and their options") {
  Parser parser;
  const lunar::admin::testing::Directory directory;
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
}
