#include "agent/config/load.h"

#include <doctest/doctest.h>

#include "tests/config/temporary_dir.h"

using namespace lunar;
using lunar::test::TemporaryDir;

namespace {

LoadedConfig load(const TemporaryDir& root) { return load_lunard_config({}, {{"LUNAR_CONFIG_DIR", root.path()}}); }

}  // namespace

TEST_CASE("load: reads lunard.yaml of the configuration directory") {
  TemporaryDir root;
  root.write("lunard.yaml", "backups: 7\n");
  CHECK(load(root).config.backups == 7);
  CommandLine words;
  words.settings = {{"config_dir", root.path()}};
  CHECK(load_lunard_config(words, {}).config.backups == 7);
}

TEST_CASE("load: a missing file means defaults, an unreadable one is an error") {
  TemporaryDir root;
  auto missing = load(root);
  CHECK(missing.diagnostics.list().empty());
  CHECK(missing.config.backups == 10);
  root.write("lunard.yaml/inside", "");
  auto unreadable = load(root);
  REQUIRE(unreadable.diagnostics.has_errors());
  CHECK(unreadable.diagnostics.first_error()->print().starts_with("lunard.yaml: error: cannot be read"));
}

TEST_CASE("load: the TLS listener needs its certificate") {
  TemporaryDir root;
  CHECK_FALSE(load(root).config.listeners.tls);
  CHECK(load(root).notes.empty());
  root.write("lunard.yaml", "listeners: {tls: \"0.0.0.0:8443\"}\n");
  auto wanted = load(root);
  CHECK_FALSE(wanted.config.listeners.tls);
  REQUIRE(wanted.notes.size() == 1);
  CHECK(wanted.notes[0] == "listeners.tls stays closed: " + root.path() + "/certs/tls/gateway_cert.pem does not exist");
  root.write("certs/tls/gateway_cert.pem", "x");
  CHECK(load(root).config.listeners.tls->text() == "0.0.0.0:8443");
}

TEST_CASE("load: an instance without name gets one of its own") {
  TemporaryDir root;
  std::string first = load(root).config.instance_id;
  std::string second = load(root).config.instance_id;
  CHECK(first.starts_with("gateway-"));
  CHECK(first.size() == 20);
  CHECK(first != second);
  root.write("lunard.yaml", "instance_id: mine\n");
  CHECK(load(root).config.instance_id == "mine");
}

TEST_CASE("load: relative paths start at the configuration directory") {
  TemporaryDir root;
  root.write("lunard.yaml", "admin: {api_key_file: admin.key}\nredis: {ca: /abs/ca.crt}\n");
  auto loaded = load(root);
  CHECK(loaded.config.admin.api_key_file == root.path() + "/admin.key");
  CHECK(loaded.config.redis.ca == "/abs/ca.crt");
  CHECK(loaded.config.redis.cert.empty());
}

TEST_CASE("load: the local authority is in the directory of the state, unless it is said where") {
  TemporaryDir root;
  root.write("lunard.yaml", "state: {dir: /srv/state}\n");
  CHECK(load(root).config.tls.ca_dir == "/srv/state/ca");
  root.write("lunard.yaml", "state: {dir: /srv/state}\ntls: {ca_dir: authority}\n");
  CHECK(load(root).config.tls.ca_dir == root.path() + "/authority");
  root.write("lunard.yaml", "tls: {ca_dir: /srv/authority}\n");
  CHECK(load(root).config.tls.ca_dir == "/srv/authority");
}
