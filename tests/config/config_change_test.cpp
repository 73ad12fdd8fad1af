#include "agent/config/config_change.h"

#include <doctest/doctest.h>

#include <nlohmann/json.hpp>

#include "agent/config/base64.h"

using namespace lunar;
using nlohmann::json;

namespace {

std::string fault_of(const std::string& body) {
  const auto change = config_change_from(body);
  return change ? "" : change.error().text;
}

std::string operation_fault(const std::string& operation) {
  const auto read = config_operation_from(R"({"operation":)" + operation + "}");
  return read ? "" : read.error().text;
}

ConfigOperation operation(const std::string& text) {
  return config_operation_from(R"({"operation":)" + text + "}").value();
}

}  // namespace

TEST_CASE("base64: what an encoder writes is decoded") {
  CHECK(base64_decoded("") == "");
  CHECK(base64_decoded("Zg==") == "f");
  CHECK(base64_decoded("Zm8=") == "fo");
  CHECK(base64_decoded("Zm9v") == "foo");
  CHECK(base64_decoded("Zm9vYg==") == "foob");
  CHECK(base64_decoded("+/+/") == "\xfb\xff\xbf");
}

TEST_CASE("base64: what no encoder writes is refused") {
  for (const char* text :
       {"Z", "Zg", "Zg=", "Zg===", "====", "=", "Zm9v\n", "Zm 9", "Zm-_", "Zh==", "Zm9=", "Zg==Zg==", "Z=g="}) {
    CAPTURE(text);
    CHECK(!base64_decoded(text));
  }
}

TEST_CASE("configuration change: maps and texts become files by path") {
  const auto change =
      config_change_from(
          R"({"flows":{"b.yaml":"Yg==","a.yml":"YQ=="},"quotas":{},"metrics":"bQ==","gateway_config":null})")
          .value();
  CHECK(change.parts.size() == 3);
  CHECK(change.parts.at(ConfigPart::flows) == ConfigFiles{{"flows/a.yml", {"a"}}, {"flows/b.yaml", {"b"}}});
  CHECK(change.parts.at(ConfigPart::quotas).empty());
  CHECK(change.parts.at(ConfigPart::metrics) == ConfigFiles{{"metrics.yaml", {"m"}}});
  CHECK(payload_of(change) ==
        json{{"flows", {{"a.yml", "YQ=="}, {"b.yaml", "Yg=="}}}, {"quotas", json::object()}, {"metrics", "bQ=="}});
}

TEST_CASE("configuration change: names that are not plain are refused") {
  for (const char* name : {"../a.yaml", "a/b.yaml", "/a.yaml", ".yaml", ".a.yaml", "a.yaml.bak", "a.txt", "a", "",
                           "a\\\\b.yaml", "a\\u0000.yaml", "a\\n.yaml", "..yaml"}) {
    CAPTURE(name);
    CHECK(fault_of(R"({"flows":{")" + std::string(name) + R"(":""}})").find("no plain file name") != std::string::npos);
  }
  CHECK(fault_of(R"({"flows":{")" + std::string(300, 'a') + R"(.yaml":""}})").find("no plain file name") !=
        std::string::npos);
  CHECK(fault_of(R"({"path_params":{"ä b.yaml":""}})").empty());
}

TEST_CASE("configuration change: what is not a payload is refused with the reason") {
  CHECK(fault_of("").find("no JSON") != std::string::npos);
  CHECK(fault_of("[]") == "the body must be a JSON object");
  CHECK(fault_of("{\"flows\":").find("no JSON") != std::string::npos);
  CHECK(fault_of(R"({"flow":{}})").find("unknown member `flow`") != std::string::npos);
  CHECK(fault_of(R"({"flows":[]})").find("map of file names") != std::string::npos);
  CHECK(fault_of(R"({"flows":{"a.yaml":1}})") == "`flows.a.yaml` must be a text in base64");
  CHECK(fault_of(R"({"flows":{"a.yaml":"name: A"}})") == "`flows.a.yaml` is not valid base64");
  CHECK(fault_of(R"({"metrics":{}})") == "`metrics` must be a text in base64");
  CHECK(fault_of(R"({"flows":{"a.yaml":"","a.yaml":""}})") == "the member `a.yaml` is there twice");
}

TEST_CASE("configuration change: a body that would take much memory is refused before it does") {
  CHECK(fault_of(std::string(1 << 20, '[')) == "the body is nested too deeply");
  std::string many = "{\"flows\":[0";
  for (int i = 0; i < 1 << 18; ++i) many += ",0";
  CHECK(fault_of(many + "]}") == "the body has too many values");
}

TEST_CASE("configuration operation: each verb is understood") {
  using Kind = ConfigOperation::Kind;
  CHECK(operation(R"({"get":{"all":true}})").kind == Kind::get);
  CHECK(operation(R"({"get":{}})").kind == Kind::get);
  CHECK(operation(R"({"init":{}})").kind == Kind::init);
  CHECK(operation(R"({"update":{"metrics":""}})").change.parts.contains(ConfigPart::metrics));
  CHECK(operation(R"({"delete":{"all":true}})").change.parts.size() == 5);
  CHECK(operation(R"({"delete":{"flows":true,"quotas":false}})").change == ConfigChange{{{ConfigPart::flows, {}}}});
  CHECK(operation(R"({"delete":{"gateway_config":true}})").change == ConfigChange{{{ConfigPart::gateway_config, {}}}});
  const auto removed = operation(R"({"delete":{"flow_by_name":["a.yaml","b.yml"]}})");
  CHECK(removed.kind == Kind::remove);
  CHECK(removed.removed.size() == 2);
  CHECK(operation(R"({"delete":{"quota_by_name":"q.yaml"}})").removed.front().second == "quotas/q.yaml");
  CHECK(operation(R"({"delete":{"path_param_by_name":"p.yaml"}})").removed.front().second == "path_params/p.yaml");
  CHECK(operation(R"({"restore":{"checkpoint":"lunar-proxy-1"}})").checkpoint == "lunar-proxy-1");
}

TEST_CASE("configuration operation: anything but exactly one verb with its argument is refused") {
  for (const char* text : {"{}",
                           "null",
                           "[]",
                           R"({"get":{},"init":{}})",
                           R"({"move":{}})",
                           R"({"get":{"some":true}})",
                           R"({"init":{"x":1}})",
                           R"({"update":{}})",
                           R"({"update":{"flows":{"x":""}}})",
                           R"({"delete":{}})",
                           R"({"delete":{"flows":false}})",
                           R"({"delete":{"flows":true,"quotas":true}})",
                           R"({"delete":{"flow_by_name":[]}})",
                           R"({"delete":{"flow_by_name":[1]}})",
                           R"({"delete":{"flow_by_name":"../x.yaml"}})",
                           R"({"delete":{"lunard":true}})",
                           R"({"delete":{"all":"yes"}})",
                           R"({"restore":{}})",
                           R"({"restore":{"checkpoint":1}})",
                           R"({"restore":"lunar-proxy-1"})"}) {
    CAPTURE(text);
    CHECK(!operation_fault(text).empty());
  }
  CHECK(!config_operation_from(R"({"get":{}})"));
  CHECK(!config_operation_from(R"({"operation":{"get":{}},"more":1})"));
}

TEST_CASE("configuration change: laid over a folder it replaces parts and what was wrong with them") {
  ConfigFolder folder;
  folder.sources.flows = {{"flows/old.yaml", "old"}};
  folder.sources.quotas = {{"quotas/q.yaml", "q"}};
  folder.sources.metrics = SourceFile{"metrics.yaml", "m"};
  folder.unreadable.add({"flows/broken.yaml", {}, Severity::error, "file-unusable", "x"});
  folder.unreadable.add({"quotas/broken.yaml", {}, Severity::error, "file-unusable", "x"});
  overlay(folder,
          {{{ConfigPart::flows, {{"flows/b.yaml", {"b"}}, {"flows/a.yaml", {"a"}}}}, {ConfigPart::metrics, {}}}});
  REQUIRE(folder.sources.flows.size() == 2);
  CHECK(folder.sources.flows[0].path == "flows/a.yaml");
  CHECK(folder.sources.quotas.size() == 1);
  CHECK(!folder.sources.metrics);
  REQUIRE(folder.unreadable.list().size() == 1);
  CHECK(folder.unreadable.list()[0].file == "quotas/broken.yaml");
}
