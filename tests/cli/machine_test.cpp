#include "cli/machine.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "cli/own_cgroup.h"
#include "tests/admin/loopback.h"

using namespace lunar::cli;
namespace fs = std::filesystem;

namespace {

constexpr const char* kMountinfo =
    "24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n"
    "30 24 0:26 /inner /other rw - cgroup2 none rw\n"
    "31 24 0:27 / /sys/fs/cgroup/uni\\040fied rw,nosuid - cgroup2 cgroup rw\n";

struct Machine {
  void file(const std::string& path, const std::string& text) {
    fs::create_directories((directory.path / path).parent_path());
    std::ofstream(directory.path / path) << text;
  }
  [[nodiscard]] Check check(const std::string& name, const std::string& release = "6.1.0-13-amd64") const {
    for (const Check& one : check_machine(directory.path, release, "/etc/lunar")) {
      if (one.name == name) return one;
    }
    FAIL("no such check");
    return {};
  }
  lunar::admin::testing::Directory directory;
};

}  // namespace

TEST_CASE("own cgroup: finds the mount and the own path, in a hybrid hierarchy too") {
  CHECK(cgroup2_mount(kMountinfo) == "/sys/fs/cgroup/uni fied");
  CHECK(cgroup2_mount("24 1 0:22 / /sys/fs/cgroup rw - tmpfs tmpfs rw\n").empty());
  CHECK(cgroup2_path("12:cpu:/a\n1:name=systemd:/b\n0::/user.slice/session-1.scope\n") ==
        "/user.slice/session-1.scope");
  CHECK(cgroup2_path("0::/\n") == "/");
  CHECK(cgroup2_path("12:cpu:/a\n").empty());
}

TEST_CASE("machine: says what is missing and what to do") {
  Machine machine;
  CHECK(machine.check("kernel").level == Level::ok);
  CHECK(machine.check("kernel", "6.0.9").level == Level::error);
  CHECK(machine.check("kernel", "5.15.0").level == Level::error);
  CHECK(machine.check("kernel", "7.0").level == Level::ok);
  CHECK(machine.check("io_uring").level == Level::ok);
  CHECK(machine.check("cgroup2").level == Level::error);
  CHECK_FALSE(machine.check("cgroup2").hint.empty());

  machine.file("proc/self/mountinfo", kMountinfo);
  machine.file("proc/sys/kernel/io_uring_disabled", "2\n");
  machine.file("proc/sys/net/core/bpf_jit_enable", "0\n");
  CHECK(machine.check("cgroup2").level == Level::ok);
  CHECK(machine.check("io_uring").level == Level::error);
  CHECK(machine.check("io_uring").hint == "sysctl -w kernel.io_uring_disabled=0");
  CHECK(machine.check("BPF JIT").level == Level::warning);
  CHECK(machine.check("configuration").text.find("absent") != std::string::npos);
  machine.file("etc/lunar/lunard.yaml", "");
  CHECK(machine.check("configuration").text == "/etc/lunar/lunard.yaml");
}
