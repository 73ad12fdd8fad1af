#include "agent/config/config_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "tests/config/temporary_dir.h"

namespace lunar {
namespace {

void write(const std::string& path, std::string_view text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

std::vector<std::string> paths(const std::vector<SourceFile>& files) {
  std::vector<std::string> out;
  for (const SourceFile& one : files) out.push_back(one.path);
  return out;
}

TEST_CASE("config folder: both endings, in byte order, without hidden files and backups, links followed") {
  test::TemporaryDir root;
  for (const char* name : {"b.yaml", "a.yml", "B.yaml", ".hidden.yaml", "old.yaml~", "notes.txt", "sub/deep.yaml"})
    write(root.path() + "/flows/" + name, "name: x");
  write(root.path() + "/elsewhere.txt", "name: linked");
  REQUIRE(symlink("../elsewhere.txt", (root.path() + "/flows/c.yaml").c_str()) == 0);
  write(root.path() + "/path_params/sub/deep.yaml", "path_params: []");
  auto folder = read_config_folder(root.path());
  REQUIRE(folder);
  CHECK(paths(folder->sources.flows) ==
        std::vector<std::string>{"flows/B.yaml", "flows/a.yml", "flows/b.yaml", "flows/c.yaml"});
  CHECK(folder->sources.flows.back().text == "name: linked");
  CHECK(paths(folder->sources.path_params) == std::vector<std::string>{"path_params/sub/deep.yaml"});
  CHECK(folder->sources.quotas.empty());
  CHECK_FALSE(folder->sources.gateway_config);
  CHECK(folder->unreadable.list().empty());
}

TEST_CASE("config folder: a root that is none is an error, a file that cannot be read a finding") {
  test::TemporaryDir root;
  CHECK(read_config_folder(root.path() + "/none").error().os_error == ENOENT);
  write(root.path() + "/file", "x");
  CHECK(read_config_folder(root.path() + "/file").error().os_error == ENOTDIR);
  REQUIRE(symlink("loop.yaml", (root.path() + "/loop.yaml").c_str()) == 0);
  std::filesystem::create_directories(root.path() + "/flows");
  REQUIRE(symlink("loop.yaml", (root.path() + "/flows/loop.yaml").c_str()) == 0);
  write(root.path() + "/flows/good.yaml", "name: x");
  auto folder = read_config_folder(root.path());
  REQUIRE(folder);
  CHECK(paths(folder->sources.flows) == std::vector<std::string>{"flows/good.yaml"});
  REQUIRE(folder->unreadable.list().size() == 1);
  CHECK(folder->unreadable.list().front().file == "flows/loop.yaml");
}

TEST_CASE("config folder: only variables that a flow names leave the supervisor") {
  Sources sources;
  sources.flows.push_back({"flows/a.yaml", "value: $PARTNER_TOKEN, \"$.request\" $9 $missing $A_1"});
  const EnvironmentVariables environment{{"PARTNER_TOKEN", "t"}, {"SECRET", "s"}, {"A_1", "1"}};
  CHECK(named_variables(sources, environment) == EnvironmentVariables{{"PARTNER_TOKEN", "t"}, {"A_1", "1"}});
}

TEST_CASE("config folder: a bundle travels as it is, whatever bytes its files have") {
  ConfigBundle bundle;
  bundle.sources.flows.push_back({"flows/a.yaml", std::string("\xff\x00 bytes", 8)});
  bundle.sources.metrics = SourceFile{"metrics.yaml", ""};
  bundle.environment["A"] = "b";
  bundle.unreadable.add({"flows/b.yaml", {}, Severity::error, "file-unusable", "cannot be opened"});
  const auto bytes = nlohmann::json::to_cbor(to_json(bundle));
  auto read = config_bundle_from_json(nlohmann::json::from_cbor(bytes));
  REQUIRE(read);
  CHECK(read->sources.flows.front().text == bundle.sources.flows.front().text);
  CHECK(read->sources.metrics->text.empty());
  CHECK_FALSE(read->sources.gateway_config);
  CHECK(read->environment == bundle.environment);
  CHECK(read->unreadable.list() == bundle.unreadable.list());
  CHECK_FALSE(config_bundle_from_json(nlohmann::json{{"flows", 1}}));
  CHECK_FALSE(config_bundle_from_json(nlohmann::json()));
}

}  // namespace
}  // namespace lunar
