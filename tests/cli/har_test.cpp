#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "cli/har_files.h"
#include "tests/cli/folder.h"
#include "tests/cli/outcome.h"

using namespace lunar::cli;
using namespace lunar::cli::testing;
using nlohmann::json;

namespace {

std::string entry(const std::string& path) {
  return R"({"startedDateTime":"2025-06-15T00:00:00.000Z","time":12,"request":{"method":"GET","url":"https://a.example.com/)" +
         path +
         R"(","headers":[{"name":"x-a","value":"1\u001b[31m"}]},"response":{"status":200,"statusText":"OK","content":{"text":"hello"}},"_lunar":{"flow":"F"}})" +
         "\n";
}

std::vector<std::string> urls(const std::string& text) {
  std::vector<std::string> out;
  for (const json& one : json::parse(text)["log"]["entries"]) out.push_back(one["request"]["url"]);
  return out;
}

struct Written : Folder {
  Written() {
    file("gateway_config.yaml", "exporters: {file: {file_dir: har, file_name: audit.ndjson}}\n");
    file("har/audit.ndjson", entry("5") + entry("6"));
    file("har/audit.ndjson.1", entry("3") + "garbage\n" + entry("4"));
    file("har/audit.ndjson.2", entry("1") + entry("2"));
    file("har/other.ndjson", entry("9"));
    file("har/audit.ndjson.bak", entry("8"));
  }
};

constexpr const char* host = "https://a.example.com/";

}  // namespace

TEST_CASE("har files: rotated ones are older, others keep their order") {
  CHECK(oldest_first({"a", "b.1", "a.2", "a.10", "b", "a.x"}) ==
        std::vector<std::string>{"a.10", "a.2", "a", "b.1", "b", "a.x"});
  CHECK(har_place("dir.1/name").base == "dir.1/name");
  CHECK(har_place("name.0").age == 0);
  CHECK(har_place("name.3").age == 3);
}

TEST_CASE("har export: the exporter's files as one document, the oldest first; other lines are counted") {
  Written folder;
  const Outcome outcome = run({"--config-dir", folder.path, "har", "export"});
  CHECK(outcome.code == 0);
  std::vector<std::string> wanted;
  for (const char* number : {"1", "2", "3", "4", "5", "6"}) wanted.push_back(host + std::string(number));
  CHECK(urls(outcome.out) == wanted);
  CHECK(json::parse(outcome.out)["log"]["version"] == "1.2");
  CHECK(json::parse(outcome.out)["log"]["creator"]["name"] == "lunarctl");
  CHECK(outcome.err == "lunarctl: 1 line skipped: no HAR entries\n");
}

TEST_CASE("har export: named files, and into a file") {
  Written folder;
  const std::string out = folder.path / "out.har";
  const Outcome outcome =
      run({"har", "export", folder.path / "har/audit.ndjson", folder.path / "har/audit.ndjson.2", "-o", out});
  CHECK(outcome.code == 0);
  CHECK(outcome.out.empty());
  CHECK(urls(folder.read("out.har")) == std::vector<std::string>{host + std::string("1"), host + std::string("2"),
                                                                 host + std::string("5"), host + std::string("6")});
}

TEST_CASE("har export: no entry, no file and a file that cannot be written are 1") {
  Written folder;
  folder.file("empty", "nothing here\n");
  const Outcome none = run({"har", "export", folder.path / "empty"});
  CHECK(none.code == 1);
  CHECK(none.out.empty());
  CHECK(contains(none.err, "no HAR entry was found"));
  CHECK(run({"har", "export", "/nonexistent/file"}).code == 1);
  CHECK(run({"--config-dir", folder.path, "har", "export", "-o", "/nonexistent/x"}).code == 1);
}

TEST_CASE("har show: the last entry, or the N-th last over all files") {
  Written folder;
  const Outcome last = run({"--config-dir", folder.path, "har", "show"});
  CHECK(last.code == 0);
  CHECK(contains(last.out, "GET https://a.example.com/6\n"));
  CHECK(contains(last.out, "  x-a: 1?[31m\n"));
  CHECK(contains(last.out, "200 OK\n  hello\n"));
  const json third = json::parse(run({"--config-dir", folder.path, "--json", "har", "show", "3"}).out);
  CHECK(third["request"]["url"] == host + std::string("4"));
  CHECK(json::parse(run({"--config-dir", folder.path, "--json", "har", "show", "6"}).out)["request"]["url"] ==
        host + std::string("1"));
  CHECK(run({"--config-dir", folder.path, "har", "show", "7"}).code == 1);
  Folder empty;
  empty.file("gateway_config.yaml", "exporters: {file: {file_dir: har}}\n");
  CHECK(run({"--config-dir", empty.path, "har", "show"}).code == 1);
}
