#include "agent/state/har_file.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <string>

#include "tests/state/directory.h"

using namespace lunar;
namespace fs = std::filesystem;
using namespace std::chrono_literals;

namespace {

constexpr SteadyTime start{std::chrono::hours(1)};

Json an_entry(const std::string& id) {
  return {{"startedDateTime", "2025-06-15T00:00:00.000Z"},
          {"request", {{"method", "GET"}}},
          {"response", {{"status", 200}}},
          {"_lunar", {{"request_id", id}}}};
}

CallFacts some_facts() {
  CallFacts facts;
  facts.total_ms = 12.34567;
  facts.server_address = "198.18.0.1";
  facts.timings = {.blocked = 0.5, .connect = 1, .send = 0.25, .wait = 10, .receive = 0.59};
  return facts;
}

std::vector<std::string> ids_of(const std::string& path) {
  std::vector<std::string> out;
  for (const std::string& line : lines_of(path))
    out.push_back(Json::parse(line).at("_lunar").at("request_id").get<std::string>());
  return out;
}

using Ids = std::vector<std::string>;

size_t line_size() { return har_line(an_entry("1"), some_facts()).size() + 1; }

}  // namespace

TEST_CASE("HAR line: has times and address, and -1 for what did not happen") {
  const Json line = Json::parse(har_line(an_entry("r1"), some_facts()));
  CHECK(line.at("time") == 12.346);
  CHECK(line.at("timings").dump() ==
        R"({"blocked":0.5,"connect":1.0,"ssl":-1,"send":0.25,"wait":10.0,"receive":0.59})");
  CHECK(line.at("serverIPAddress") == "198.18.0.1");
  CHECK(line.at("cache") == Json::object());
  CHECK(line.at("request").at("method") == "GET");
  CHECK(line.at("response").at("status") == 200);
  CHECK(line.at("_lunar").at("request_id") == "r1");
  CHECK(line.at("startedDateTime") == "2025-06-15T00:00:00.000Z");
}

TEST_CASE("HAR line: an early response has no address, and bad bytes leave valid JSON") {
  Json entry = an_entry("r1");
  entry["request"]["method"] = "G\xff\nT";
  const std::string line = har_line(entry, {});
  CHECK(line.find('\n') == std::string::npos);
  const Json read = Json::parse(line);
  CHECK_FALSE(read.contains("serverIPAddress"));
  CHECK(read.at("timings").at("wait") == -1);
}

TEST_CASE("HAR file: writes when the interval is over, not before") {
  const Directory directory;
  HarFile file({.path = directory.file("har"), .flush_interval = 10s});
  CHECK(file.add(an_entry("1"), some_facts(), start) == line_size());
  REQUIRE(file.flush_if_due(start + 10s - 1ns));
  CHECK_FALSE(fs::exists(directory.file("har")));
  file.add(an_entry("2"), some_facts(), start + 9s);
  REQUIRE(file.flush_if_due(start + 10s));
  CHECK(ids_of(directory.file("har")) == Ids{"1", "2"});
  CHECK((fs::status(directory.file("har")).permissions() & fs::perms::others_all) == fs::perms::none);
}

TEST_CASE("HAR file: an interval of 0 writes at once") {
  const Directory directory;
  HarFile file({.path = directory.file("har"), .flush_interval = 0s});
  file.add(an_entry("1"), some_facts(), start);
  CHECK(ids_of(directory.file("har")) == Ids{"1"});
}

TEST_CASE("HAR file: a large buffer does not wait for the interval") {
  const Directory directory;
  HarFile file({.path = directory.file("har")});
  Json entry = an_entry("1");
  entry["request"]["url"] = std::string(HarFile::buffer_limit, 'x');
  file.add(entry, some_facts(), start);
  CHECK(ids_of(directory.file("har")) == Ids{"1"});
}

TEST_CASE("HAR file: a line that would pass the limit begins a new file, one that fits exactly does not") {
  const Directory directory;
  HarFile file({.path = directory.file("har"), .max_size = 2 * line_size(), .max_files = 2});
  for (const char* id : {"1", "2", "3", "4", "5"}) file.add(an_entry(id), some_facts(), start);
  REQUIRE(file.flush());
  CHECK(ids_of(directory.file("har")) == Ids{"5"});
  CHECK(ids_of(directory.file("har.1")) == Ids{"3", "4"});
  CHECK(ids_of(directory.file("har.2")) == Ids{"1", "2"});
  for (const char* id : {"6", "7"}) file.add(an_entry(id), some_facts(), start);
  REQUIRE(file.flush());
  CHECK(ids_of(directory.file("har")) == Ids{"7"});
  CHECK(ids_of(directory.file("har.1")) == Ids{"5", "6"});
  CHECK(ids_of(directory.file("har.2")) == Ids{"3", "4"});
  CHECK_FALSE(fs::exists(directory.file("har.3")));
  CHECK(file.dropped() == 0);
}

TEST_CASE("HAR file: a line above the limit has a file of its own and is not split") {
  const Directory directory;
  HarFile file({.path = directory.file("har"), .max_size = 10, .max_files = 3});
  for (const char* id : {"1", "2", "3"}) file.add(an_entry(id), some_facts(), start);
  REQUIRE(file.flush());
  CHECK(ids_of(directory.file("har")) == Ids{"3"});
  CHECK(ids_of(directory.file("har.1")) == Ids{"2"});
  CHECK(ids_of(directory.file("har.2")) == Ids{"1"});
}

TEST_CASE("HAR file: a file of an earlier run counts for the limit") {
  const Directory directory;
  for (const char* id : {"1", "2"}) {
    HarFile file({.path = directory.file("har"), .max_size = line_size()});
    file.add(an_entry(id), some_facts(), start);
    REQUIRE(file.flush());
  }
  CHECK(ids_of(directory.file("har")) == Ids{"2"});
  CHECK(ids_of(directory.file("har.1")) == Ids{"1"});
}

TEST_CASE("HAR file: a full disk costs counted entries and leaves whole lines") {
  const Directory directory;
  HarFile file({.path = directory.file("har")});
  {
    const FileSizeLimit full(line_size() + 5);
    for (const char* id : {"1", "2", "3"}) file.add(an_entry(id), some_facts(), start);
    const Result<> flushed = file.flush();
    REQUIRE_FALSE(flushed);
    CHECK(flushed.error().os_error == EFBIG);
    CHECK_FALSE(file.flush());  // with nothing to write it tells of the last attempt
  }
  CHECK(file.dropped() == 2);
  file.add(an_entry("4"), some_facts(), start);
  REQUIRE(file.flush());
  CHECK(ids_of(directory.file("har")) == Ids{"1", "4"});
  CHECK(file.dropped() == 2);
}

TEST_CASE("HAR file: a device takes no rotation, and one that is full counts everything") {
  HarFile file({.path = "/dev/full", .max_size = 1});
  for (const char* id : {"1", "2", "3"}) file.add(an_entry(id), some_facts(), start);
  CHECK_FALSE(file.flush());
  CHECK(file.dropped() == 3);
}

TEST_CASE("HAR file: a missing directory is an error with its way out, and heals by itself") {
  const Directory directory;
  HarFile file({.path = directory.file("sub/har")});
  file.add(an_entry("1"), some_facts(), start);
  const Result<> flushed = file.flush();
  REQUIRE_FALSE(flushed);
  CHECK(flushed.error().text.find("make its directory writable") != std::string::npos);
  CHECK(file.dropped() == 1);
  fs::create_directory(directory.path / "sub");
  file.add(an_entry("2"), some_facts(), start);
  REQUIRE(file.flush());
  CHECK(ids_of(directory.file("sub/har")) == Ids{"2"});
}

TEST_CASE("HAR file: reopens after another program moved the file") {
  const Directory directory;
  HarFile file({.path = directory.file("har")});
  file.add(an_entry("1"), some_facts(), start);
  REQUIRE(file.flush());
  fs::rename(directory.file("har"), directory.file("moved"));
  file.add(an_entry("2"), some_facts(), start);
  REQUIRE(file.reopen());
  file.add(an_entry("3"), some_facts(), start);
  REQUIRE(file.flush());
  CHECK(ids_of(directory.file("moved")) == Ids{"1", "2"});
  CHECK(ids_of(directory.file("har")) == Ids{"3"});
}
