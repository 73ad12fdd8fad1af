#include <doctest/doctest.h>

#include <vector>

#include "agent/config/load.h"

using namespace lunar;

namespace {

Result<CommandLine> parse(std::vector<const char*> arguments) { return parse_command_line(arguments); }
std::string refusal(std::vector<const char*> arguments) {
  auto parsed = parse(std::move(arguments));
  REQUIRE_FALSE(parsed);
  return parsed.error().text;
}

}  // namespace

TEST_CASE("command line: actions and role") {
  CHECK(parse({})->action == CommandLine::Action::run);
  CHECK(parse({"--help"})->action == CommandLine::Action::help);
  CHECK(parse({"-h"})->action == CommandLine::Action::help);
  CHECK(parse({"--version"})->action == CommandLine::Action::version);
  CHECK(parse({"-V"})->action == CommandLine::Action::version);
  CHECK(parse({"--dump-config"})->action == CommandLine::Action::dump_config);
  CHECK(parse({"--check"})->action == CommandLine::Action::check);
  CHECK(parse({"--role=gateway"})->role == "gateway");
  CHECK(parse({"--role", "gateway"})->role == "gateway");
}

TEST_CASE("command line: settings with their value attached or following, the last one wins") {
  auto parsed = parse({"--timeouts-connect=10s", "--config-dir", "/etc/x", "--log-level", "warn", "--log-level=debug"});
  REQUIRE(parsed);
  CHECK(parsed->settings ==
        std::vector<std::pair<std::string, std::string>>{
            {"timeouts.connect", "10s"}, {"config_dir", "/etc/x"}, {"log.level", "warn"}, {"log.level", "debug"}});
  auto config = resolve_config(*parsed, {}, std::nullopt).config;
  CHECK(config.config_dir == "/etc/x");
  CHECK(config.log_level == LogLevel::debug);
}

TEST_CASE("command line: the control socket has the name that lunarctl gives it, too") {
  for (const char* flag : {"--socket=/s", "--control-socket=/s"})
    CHECK(parse({flag})->settings == std::vector<std::pair<std::string, std::string>>{{"control.socket", "/s"}});
}

TEST_CASE("command line: every mistake is named, with the way out") {
  CHECK(refusal({"--timeout-connect", "5s"}) == "unknown argument --timeout-connect; did you mean --timeouts-connect?");
  CHECK(refusal({"start"}) == "unknown argument start; see --help");
  CHECK(refusal({"--admin-api-key=x"}).starts_with("unknown argument --admin-api-key"));
  CHECK(refusal({"--log-level"}) == "--log-level needs a value");
  CHECK(refusal({"--role"}) == "--role needs a value");
  CHECK(refusal({"--backups=x"}) == "--backups: expected an integer, found \"x\"");
  CHECK(refusal({"--timeouts-connect", "5"}) == "--timeouts-connect: \"5\" has no unit; write for example 5s");
}

TEST_CASE("environment: is read from a block of entries") {
  const char* block[] = {"A=1", "B=", "C=x=y", "broken", nullptr};
  CHECK(environment_from(block) == Environment{{"A", "1"}, {"B", ""}, {"C", "x=y"}});
}
