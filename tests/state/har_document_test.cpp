#include "flowengine/har/har_document.h"

#include <doctest/doctest.h>

#include <string>

#include "flowengine/expr/json.h"

using namespace lunar;

namespace {

std::string a_line(const std::string& id) {
  return R"({"startedDateTime":"2025-06-15T00:00:00.000Z","request":{},"response":{},"_lunar":{"request_id":")" + id +
         "\"}}";
}

}  // namespace

TEST_CASE("HAR document: entries of files in the order given, byte for byte") {
  HarDocument document({"lunar", "1.2.3"});
  document.add_lines(a_line("1") + "\n" + a_line("2") + "\n");
  document.add_lines(a_line("3"));
  CHECK(document.entries() == 3);
  CHECK(document.skipped() == 0);
  CHECK(document.text().find(a_line("2")) != std::string::npos);
  const auto read = parse_json(document.text());
  REQUIRE(read);
  const Json& log = read->at("log");
  CHECK(log.at("version") == "1.2");
  CHECK(log.at("creator").dump() == R"({"name":"lunar","version":"1.2.3"})");
  REQUIRE(log.at("entries").size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(log.at("entries")[i].at("_lunar").at("request_id") == std::to_string(i + 1));
}

TEST_CASE("HAR document: without entries it is still one") {
  HarDocument document({"lunar", "1"});
  document.add_lines("");
  document.add_lines("\n\n");
  CHECK(document.entries() == 0);
  CHECK(document.skipped() == 0);
  const auto read = parse_json(document.text());
  REQUIRE(read);
  CHECK(read->at("log").at("entries").empty());
}

TEST_CASE("HAR document: what is no entry is skipped and counted, wherever a line is cut") {
  const std::string whole = a_line("1");
  for (size_t length = 1; length < whole.size(); ++length) {
    CAPTURE(length);
    HarDocument document({"lunar", "1"});
    document.add_lines(whole + "\r\n" + whole.substr(0, length));
    CHECK(document.entries() == 1);
    CHECK(document.skipped() == 1);
    CHECK(parse_json(document.text()));
  }
  HarDocument document({"lunar", "1"});
  for (const char* line : {"[]", "1", "{}", R"({"request":{},"response":{}})",
                           R"({"startedDateTime":1,"request":{},"response":{}})", "\xff", "{}}"}) {
    document.add_lines(line);
  }
  CHECK(document.entries() == 0);
  CHECK(document.skipped() == 7);
}
