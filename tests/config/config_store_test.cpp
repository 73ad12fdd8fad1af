#include "agent/config/config_store.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

#include "tests/config/temporary_dir.h"

using namespace lunar;
using lunar::test::TemporaryDir;

namespace {

namespace fs = std::filesystem;

struct Fixture {
  TemporaryDir directory;
  std::string root = directory.path() + "/root", state = directory.path() + "/state";
  ConfigStore store{root, state, 3};

  Fixture() { fs::create_directories(state); }

  void write(const std::string& path, const std::string& text) const { directory.write("root/" + path, text); }
  [[nodiscard]] std::string text(const std::string& path) const {
    std::ifstream file(root + "/" + path);
    return file ? std::string(std::istreambuf_iterator<char>(file), {}) : "absent";
  }
  [[nodiscard]] std::set<std::string> files(const std::string& below) const {
    std::set<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(below))
      if (!entry.is_directory()) out.insert(fs::relative(entry.path(), below).string());
    return out;
  }
  [[nodiscard]] uint32_t mode(const std::string& path) const {
    struct stat status{};
    REQUIRE(stat((root + "/" + path).c_str(), &status) == 0);
    return status.st_mode & 0777U;
  }
};

ConfigChange flows(const ConfigFiles& files) { return {{{ConfigPart::flows, files}}}; }

// A whole configuration that tells by every file which one it is.
ConfigChange generation(const std::string& mark, int files) {
  ConfigChange out;
  for (int i = 0; i < files; ++i) {
    out.parts[ConfigPart::flows]["flows/" + mark + std::to_string(i) + ".yaml"] = {mark};
    out.parts[ConfigPart::quotas]["quotas/" + std::to_string(i) + ".yaml"] = {mark};
  }
  out.parts[ConfigPart::path_params] = {{"path_params/deep/p.yaml", {mark}}};
  out.parts[ConfigPart::gateway_config] = {{"gateway_config.yaml", {mark}}};
  out.parts[ConfigPart::metrics];
  return out;
}

bool same_texts(const ConfigChange& a, const ConfigChange& b) { return payload_of(a) == payload_of(b); }

}  // namespace

TEST_CASE("configuration store: a part that is given is replaced as a whole, others stay") {
  const Fixture f;
  f.write("flows/old.yaml", "old");
  f.write("flows/same.yaml", "same");
  f.write("flows/.hidden.yaml", "hidden");
  f.write("flows/README.md", "notes");
  f.write("quotas/q.yaml", "q");
  f.write("lunard.yaml", "x");
  REQUIRE(f.store.replace(flows({{"flows/new.yaml", {"new"}}, {"flows/same.yaml", {"same"}}})));
  CHECK(f.files(f.root) == std::set<std::string>{"flows/new.yaml", "flows/same.yaml", "flows/.hidden.yaml",
                                                 "flows/README.md", "quotas/q.yaml", "lunard.yaml"});
  CHECK(f.text("flows/new.yaml") == "new");
  CHECK(f.files(f.state).empty());
}

TEST_CASE("configuration store: files of its own are 0644 in folders of 0755, whatever the umask") {
  const Fixture f;
  const mode_t before = umask(0077);
  REQUIRE(f.store.replace({{{ConfigPart::path_params, {{"path_params/a/b.yaml", {"x"}}}}}}));
  umask(before);
  CHECK(f.mode("path_params/a/b.yaml") == 0644);
  CHECK(f.mode("path_params/a") == 0755);
  CHECK(f.mode("") == 0755);
}

TEST_CASE("configuration store: a file that is replaced keeps its mode, and gets it back from a backup") {
  const Fixture f;
  f.write("gateway_config.yaml", "old");
  chmod((f.root + "/gateway_config.yaml").c_str(), 0640);
  const std::string checkpoint = f.store.back_up(1000).value();
  REQUIRE(f.store.replace({{{ConfigPart::gateway_config, {{"gateway_config.yaml", {"new"}}}}}}));
  CHECK(f.mode("gateway_config.yaml") == 0640);
  REQUIRE(f.store.replace({{{ConfigPart::gateway_config, {}}}}));
  CHECK(f.text("gateway_config.yaml") == "absent");
  REQUIRE(f.store.replace(f.store.backed_up(checkpoint).value()));
  CHECK(f.text("gateway_config.yaml") == "old");
  CHECK(f.mode("gateway_config.yaml") == 0640);
}

TEST_CASE("configuration store: an owner stays the owner") {
  const Fixture f;
  const gid_t group = geteuid() == 0 ? 12345 : getegid();  // others may not give files away
  f.write("metrics.yaml", "old");
  REQUIRE(chown((f.root + "/metrics.yaml").c_str(), geteuid(), group) == 0);
  REQUIRE(f.store.replace({{{ConfigPart::metrics, {{"metrics.yaml", {"new"}}}}}}));
  struct stat status{};
  REQUIRE(stat((f.root + "/metrics.yaml").c_str(), &status) == 0);
  CHECK(status.st_gid == group);
}

TEST_CASE("configuration store: what cannot be written changes nothing") {
  const Fixture f;
  f.write("flows/a.yaml", "old");
  fs::create_directories(f.root + "/flows/z.yaml");
  const auto replaced = f.store.replace(flows({{"flows/a.yaml", {"new"}}, {"flows/z.yaml", {"new"}}}));
  REQUIRE(!replaced);
  CHECK(replaced.error().text.find("z.yaml is a folder") != std::string::npos);
  CHECK(f.text("flows/a.yaml") == "old");
  CHECK(f.files(f.root) == std::set<std::string>{"flows/a.yaml"});
  CHECK(f.files(f.state).empty());
  CHECK(!f.store.recover().value());
}

TEST_CASE("configuration store: a link is replaced and not written through, one to nowhere is removed") {
  const Fixture f;
  f.write("elsewhere/a.yaml", "old");
  fs::create_directories(f.root + "/flows");
  fs::create_symlink(f.root + "/elsewhere/a.yaml", f.root + "/flows/a.yaml");
  fs::create_symlink(f.root + "/nowhere", f.root + "/flows/b.yaml");
  REQUIRE(f.store.replace(flows({{"flows/a.yaml", {"new"}}})));
  CHECK(f.text("elsewhere/a.yaml") == "old");
  CHECK(f.files(f.root) == std::set<std::string>{"elsewhere/a.yaml", "flows/a.yaml"});
}

TEST_CASE("configuration store: a backup holds all parts and nothing else") {
  const Fixture f;
  f.write("flows/a.yaml", "a");
  f.write("path_params/deep/p.yaml", "p");
  f.write("metrics.yaml", "m");
  f.write("lunard.yaml", "x");
  const std::string name = f.store.back_up(1700000000).value();
  CHECK(name == "lunar-proxy-1700000000");
  CHECK(f.files(f.state) ==
        std::set<std::string>{name + "/flows/a.yaml", name + "/path_params/deep/p.yaml", name + "/metrics.yaml"});
  CHECK(same_texts(f.store.backed_up(name).value(), f.store.current().value()));
}

TEST_CASE("configuration store: two backups of one second get different names, also when the clock goes back") {
  const Fixture f;
  f.write("metrics.yaml", "1");
  CHECK(f.store.back_up(1000).value() == "lunar-proxy-1000");
  CHECK(f.store.back_up(1000).value() == "lunar-proxy-1001");
  CHECK(f.store.back_up(500).value() == "lunar-proxy-1002");
}

TEST_CASE("configuration store: the oldest backups beyond the limit go, by number and not by text") {
  const Fixture f;
  for (const int second : {8, 9, 10, 11}) REQUIRE(f.store.back_up(second));
  fs::create_directories(f.state + "/lunar-proxy-x");
  fs::create_directories(f.state + "/lunar-proxy-007");
  f.store.remove_old_backups();
  CHECK(f.store.checkpoints() == std::vector<std::string>{"lunar-proxy-9", "lunar-proxy-10", "lunar-proxy-11"});
  CHECK(fs::exists(f.state + "/lunar-proxy-x"));
  ConfigStore(f.root, f.state, 0).remove_old_backups();
  CHECK(f.store.checkpoints().empty());
}

TEST_CASE("configuration store: a checkpoint is a name of ours and no path") {
  const Fixture f;
  fs::create_directories(f.directory.path() + "/lunar-proxy-5");
  for (const char* name :
       {"", "lunar-proxy-5", "../lunar-proxy-5", "lunar-proxy-", "lunar-proxy-1/../../root", "lunar-proxy--1"}) {
    CAPTURE(name);
    CHECK(!f.store.backed_up(name));
  }
}

TEST_CASE("configuration store: leaving out files by name takes all of them or none") {
  const Fixture f;
  f.write("flows/a.yaml", "a");
  f.write("flows/b.yaml", "b");
  CHECK(f.store.without({{ConfigPart::flows, "flows/a.yaml"}}).value() == flows({{"flows/b.yaml", {"b"}}}));
  CHECK(f.store.without({{ConfigPart::flows, "flows/a.yaml"}, {ConfigPart::flows, "flows/b.yaml"}}).value() ==
        flows({}));
  CHECK(!f.store.without({{ConfigPart::flows, "flows/a.yaml"}, {ConfigPart::flows, "flows/c.yaml"}}));
}

TEST_CASE("configuration store: a journal that is none is left alone and said") {
  const Fixture f;
  f.write("flows/old.yaml", "old");
  const std::string journal = f.state + "/configuration.pending";
  std::ofstream(journal) << "no journal";
  const auto broken = f.store.recover();
  REQUIRE(!broken);
  CHECK(broken.error().text.find("cannot be understood") != std::string::npos);
  CHECK(f.text("flows/old.yaml") == "old");
}

TEST_CASE("configuration store: killed at any point it leaves the old configuration or the new one") {
  const Fixture f;
  const ConfigChange a = generation("a", 6), b = generation("b", 6);
  REQUIRE(f.store.replace(a));
  std::mt19937 random(1);
  std::uniform_int_distribution<int> microseconds(0, 30'000);
  int ended_by_recovery = 0, of_a = 0, of_b = 0;
  for (int round = 0; round < 100; ++round) {
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      while (f.store.replace(b) && f.store.replace(a)) {
      }
      _exit(1);
    }
    std::this_thread::sleep_for(std::chrono::microseconds(microseconds(random)));
    kill(child, SIGKILL);
    int status = 0;
    waitpid(child, &status, 0);
    REQUIRE(WIFSIGNALED(status));
    ended_by_recovery += f.store.recover().value() ? 1 : 0;
    const ConfigChange now = f.store.current().value();
    of_a += same_texts(now, a) ? 1 : 0;
    of_b += same_texts(now, b) ? 1 : 0;
    REQUIRE(of_a + of_b == round + 1);
    REQUIRE(f.files(f.root).size() == 14);
    REQUIRE(f.files(f.state).empty());
  }
  CHECK(ended_by_recovery > 0);
  CHECK(of_a > 0);
  CHECK(of_b > 0);
}
