// What cgroup paths and targets mean.
#include <doctest/doctest.h>

#include <string>

#include "agent/redirect/cgroup.h"
#include "agent/redirect/cgroup_names.h"
#include "agent/redirect/target.h"

using namespace lunar;

namespace {

const std::string id = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

bool matches(std::string_view target, const std::string& path) {
  const auto parsed = Target::parse(target, "/sys/fs/cgroup");
  REQUIRE(parsed);
  return parsed->matches(path);
}

bool is_refused(std::string_view target) { return !Target::parse(target, "/sys/fs/cgroup").has_value(); }

}  // namespace

TEST_CASE("cgroup names: the unit is the innermost one, unescaped") {
  CHECK(unit_of_cgroup("/system.slice/shop.service") == "shop.service");
  CHECK(unit_of_cgroup("/system.slice/shop.service/workers/3") == "shop.service");
  CHECK(unit_of_cgroup("/system.slice/foo\\x2dbar.service") == "foo-bar.service");
  CHECK(unit_of_cgroup("/system.slice/odd\\x2.service") == "odd\\x2.service");
  CHECK(unit_of_cgroup("/system.slice/odd\\xzz.service") == "odd\\xzz.service");
  CHECK(unit_of_cgroup("/system.slice/_cpu.service") == "cpu.service");
  CHECK(unit_of_cgroup("/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.scope") == "app-x.scope");
  CHECK(unit_of_cgroup("/user.slice/user-1000.slice") == "user-1000.slice");
  CHECK(unit_of_cgroup("/") == "");
  CHECK(unit_of_cgroup("/plain/cgroup") == "");
}

TEST_CASE("cgroup names: containers of every common engine") {
  CHECK(container_of_cgroup("/system.slice/docker-" + id + ".scope") == id);
  CHECK(container_of_cgroup("/docker/" + id) == id);
  CHECK(container_of_cgroup("/machine.slice/libpod-" + id + ".scope/container") == id);
  CHECK(container_of_cgroup("/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope") == id);
  CHECK(container_of_cgroup("/kubepods/besteffort/pod1/" + id) == id);
  CHECK(container_of_cgroup("/kubepods.slice/crio-" + id + ".scope") == id);
  CHECK(container_of_cgroup("/machine.slice/machine-web\\x2d1.scope/payload") == "web-1");
  CHECK(container_of_cgroup("/machine.slice/systemd-nspawn@web.service") == "web");
  CHECK(container_of_cgroup("/machine.slice/machine-.scope") == "");
  CHECK(container_of_cgroup("/system.slice/docker-short.scope") == "");
  CHECK(container_of_cgroup("/system.slice/docker.service") == "");
}

TEST_CASE("target: a path matches itself only, with or without the mount point") {
  CHECK(matches("/system.slice/shop.service", "/system.slice/shop.service"));
  CHECK(matches("/sys/fs/cgroup/system.slice/shop.service/", "/system.slice/shop.service"));
  CHECK_FALSE(matches("/system.slice/shop.service", "/system.slice/shop.service/inner"));
  CHECK_FALSE(matches("/system.slice", "/system.slice2"));
  CHECK(matches("/", "/"));
}

TEST_CASE("target: a unit is found wherever it is, a container by its id or a prefix, a machine by its name") {
  CHECK(matches("shop.service", "/system.slice/shop.service"));
  CHECK(matches("shop.service", "/a/b/shop.service"));
  CHECK_FALSE(matches("shop.service", "/system.slice/workshop.service"));
  CHECK_FALSE(matches("shop.service", "/system.slice/shop.service/inner"));
  CHECK(matches(id, "/system.slice/docker-" + id + ".scope"));
  CHECK(matches("0123456789ab", "/system.slice/docker-" + id + ".scope"));
  CHECK_FALSE(matches("0123456789ac", "/system.slice/docker-" + id + ".scope"));
  CHECK_FALSE(matches("0123456", "/docker/" + id));  // too short to be an id
  CHECK(matches("web-1", "/machine.slice/machine-web\\x2d1.scope"));
  CHECK_FALSE(matches("web", "/machine.slice/machine-web\\x2d1.scope"));
}

TEST_CASE("target: refuses what cannot be one") {
  CHECK(is_refused(""));
  CHECK(is_refused("a/b"));
  CHECK(is_refused("/a/../b"));
  CHECK(is_refused("/a/./b"));
  CHECK(is_refused("/.."));
  CHECK(is_refused("/a//b"));
  CHECK(is_refused("a\nb"));
  CHECK(is_refused("caf\xe9.service"));
  CHECK_FALSE(is_refused("café.service"));
  CHECK(is_refused(std::string(5000, 'a')));
}

TEST_CASE("cgroup: the level counts directories below the root") {
  CHECK(cgroup::level_of("/") == 0);
  CHECK(cgroup::level_of("/a.slice") == 1);
  CHECK(cgroup::level_of("/a.slice/b.service/") == 2);
}
