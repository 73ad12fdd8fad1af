// Attaching, detaching, handing over, and leaving nothing behind.
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <numeric>

#include "agent/redirect/hook_parts.h"
#include "agent/redirect/probe.h"
#include "tests/bpf/stage.h"

using namespace lunar;
using namespace lunar::test;

namespace {

Fd open_directory(const std::string& path) { return Fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

// Programs of ours on a cgroup, over all places where the hook attaches.
uint32_t programs_on(const std::string& directory) {
  const Fd cgroup = open_directory(directory);
  uint32_t total = 0;
  for (const HookProgram& program : hook_programs) {
    __u32 flags = 0;
    __u32 count = 0;
    REQUIRE(bpf_prog_query(cgroup.get(), program.type, 0, &flags, nullptr, &count) == 0);
    total += count;
  }
  return total;
}

// The kernel's numbers of what a hook holds. Other users of BPF on the machine do not disturb the counting.
struct Ids {
  std::vector<uint32_t> programs;
  std::vector<uint32_t> maps;
  std::vector<uint32_t> links;
};

template <class Details>
Details details_of(int fd) {
  Details details{};
  __u32 size = sizeof details;
  REQUIRE(bpf_obj_get_info_by_fd(fd, &details, &size) == 0);
  return details;
}

Ids ids_of(const Hook& hook) {
  Ids ids;
  for (const Hook::BorrowedFd& fd : hook.fds()) {
    if (fd.name.starts_with("hook-program-")) ids.programs.push_back(details_of<bpf_prog_info>(fd.fd).id);
    if (fd.name.starts_with("hook-map-")) ids.maps.push_back(details_of<bpf_map_info>(fd.fd).id);
    if (fd.name.starts_with("hook-link-")) ids.links.push_back(details_of<bpf_link_info>(fd.fd).id);
  }
  return ids;
}

bool all_gone(const std::vector<uint32_t>& ids, int (*open_by_id)(uint32_t)) {
  return std::ranges::none_of(ids, [&](uint32_t id) { return static_cast<bool>(Fd(open_by_id(id))); });
}

// Links of our programs, wherever they are.
size_t links_to(const std::vector<uint32_t>& programs) {
  size_t total = 0;
  for (uint32_t id = 0; bpf_link_get_next_id(id, &id) == 0;) {
    const Fd link(bpf_link_get_fd_by_id(id));
    if (!link) continue;
    if (std::ranges::find(programs, details_of<bpf_link_info>(link.get()).prog_id) != programs.end()) ++total;
  }
  return total;
}

// The kernel frees programs and maps a grace period after the last reference.
bool eventually(const std::function<bool()>& holds) {
  const MonotonicTime until = monotonic_now() + std::chrono::seconds(5);
  while (!holds()) {
    if (monotonic_now() > until) return false;
    std::this_thread::yield();
  }
  return true;
}

size_t open_fds() {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

std::vector<NamedFd> duplicated(const Hook& hook) {
  std::vector<NamedFd> out;
  for (const Hook::BorrowedFd& fd : hook.fds()) out.push_back({fd.name, Fd(fcntl(fd.fd, F_DUPFD_CLOEXEC, 3))});
  return out;
}

}  // namespace

TEST_CASE("hook: destroying it leaves no program, map or link behind") {
  Ids ids;
  {
    Stage stage;
    CHECK(stage.client(stage.origin4()).who == 'G');
    ids = ids_of(*stage.hook);
    CHECK(programs_on(stage.cgroup.directory()) == 7);
    CHECK(ids.links.size() == 7);
    CHECK(ids.programs.size() == hook_programs.size());
    CHECK(ids.maps.size() == hook_maps.size());
    stage.hook->detach();
    stage.hook->detach();  // again: nothing happens
    CHECK(programs_on(stage.cgroup.directory()) == 0);
    CHECK_FALSE(stage.hook->attached());
  }
  CHECK(eventually([&] { return all_gone(ids.links, bpf_link_get_fd_by_id); }));
  CHECK(eventually([&] { return all_gone(ids.programs, bpf_prog_get_fd_by_id); }));
  CHECK(eventually([&] { return all_gone(ids.maps, bpf_map_get_fd_by_id); }));
}

TEST_CASE("hook: a successor adopts links and maps without a gap, with settings and policies") {
  Stage stage;
  std::vector<NamedFd> stored = duplicated(*stage.hook);
  stage.hook.reset();  // the supervisor is gone; the fd store is not
  CHECK(stage.client(stage.origin4()).who == 'G');
  auto adopted = Hook::adopt(std::move(stored));
  REQUIRE(adopted);
  stage.hook = std::move(*adopted);
  CHECK(stage.hook->attached());
  CHECK(stage.hook->armed());
  CHECK(stage.hook->worker_ports(0).v4 == stage.listeners.front().address.port);
  CHECK(stage.hook->policies().size() == 1);
  CHECK(stage.client(stage.origin4()).who == 'G');
  stage.mark();
  stage.hook->disarm();
  CHECK(stage.client(stage.origin4()).who == 'O');
  CHECK(stage.grown(LUNAR_DISARMED) == 1);
  stage.hook->detach();
  CHECK(programs_on(stage.cgroup.directory()) == 0);
  REQUIRE(stage.hook->attach(stage.cgroup.directory(), stage.cgroup.directory("/gateway")));
  stage.hook->arm();
  CHECK(stage.client(stage.origin4()).who == 'G');
}

TEST_CASE("hook: does not adopt an incomplete set, nor the programs of another build") {
  Stage stage;
  std::vector<NamedFd> incomplete = duplicated(*stage.hook);
  std::erase_if(incomplete, [](const NamedFd& fd) { return fd.name == "hook-map-flows"; });
  CHECK_FALSE(Hook::adopt(std::move(incomplete)));
  lunar_settings settings{};
  const uint32_t key = 0;
  REQUIRE(bpf_map_lookup_elem(stage.hook->map_fd("settings"), &key, &settings) == 0);
  ++settings.build;
  REQUIRE(bpf_map_update_elem(stage.hook->map_fd("settings"), &key, &settings, BPF_ANY) == 0);
  CHECK_FALSE(Hook::adopt(duplicated(*stage.hook)));
}

TEST_CASE("hook: refuses to attach beside a program that does not share, and attaches nothing then") {
  Stage stage;
  stage.hook->detach();
  (void)stage.cgroup.make("/exclusive");
  const std::string directory = stage.cgroup.directory("/exclusive");
  const Fd cgroup = open_directory(directory);
  const auto fds = stage.hook->fds();
  const auto program = std::ranges::find_if(fds, [](const auto& fd) { return fd.name == "hook-program-connect6"; });
  REQUIRE(program != fds.end());
  for (const unsigned flags : {0U, unsigned{BPF_F_ALLOW_OVERRIDE}}) {
    REQUIRE(bpf_prog_attach(program->fd, cgroup.get(), BPF_CGROUP_INET6_CONNECT, flags) == 0);
    const auto attached = stage.hook->attach(directory, directory);
    REQUIRE_FALSE(attached);
    CHECK(attached.error().text.find("connect6") != std::string::npos);
    CHECK(programs_on(directory) == 1);
    REQUIRE(bpf_prog_detach2(program->fd, cgroup.get(), BPF_CGROUP_INET6_CONNECT) == 0);
  }
  REQUIRE(bpf_prog_attach(program->fd, cgroup.get(), BPF_CGROUP_INET6_CONNECT, BPF_F_ALLOW_MULTI) == 0);
  CHECK(stage.hook->attach(directory, directory));
  stage.hook->detach();
  REQUIRE(bpf_prog_detach2(program->fd, cgroup.get(), BPF_CGROUP_INET6_CONNECT) == 0);
}

TEST_CASE("hook: links at a slice work when our own cgroup is elsewhere") {
  Stage stage;
  stage.hook->detach();
  REQUIRE(stage.hook->attach(stage.cgroup.directory("/client"), stage.cgroup.directory("/gateway")));
  stage.hook->arm();
  CHECK(programs_on(stage.cgroup.directory("/gateway")) == 1);
  CHECK(stage.client(stage.origin4()).who == 'G');
  const auto guests = stage.greeter.guests();
  REQUIRE(guests.size() == 1);
  REQUIRE(guests[0].origin);
  CHECK(guests[0].origin->destination == stage.origin4());
}

TEST_CASE("hook: a thousand attach and detach cycles under load lose no connect and leak nothing") {
  Stage stage;
  std::atomic<bool> stop = false;
  std::atomic<int> failed = 0;
  std::atomic<int> connects = 0;
  std::thread load([&] {
    while (!stop) {
      const Seen seen = stage.client([&] {
        Seen last;
        for (int i = 0; i < 50 && last.error == 0; ++i) last = connect_once(stage.origin4());
        return last;
      });
      if (seen.error != 0) ++failed;
      connects += 50;
    }
  });
  const auto cycle = [&] {
    stage.beat();
    stage.hook->detach();
    REQUIRE(stage.hook->attach(stage.cgroup.directory(), stage.cgroup.directory("/gateway")));
    stage.hook->arm();
  };
  for (int i = 0; i < 950 || (connects < 1000 && failed == 0); ++i) cycle();
  stop = true;
  load.join();
  const size_t fds = open_fds();
  for (int i = 0; i < 50; ++i) cycle();
  CHECK(failed == 0);
  CHECK(open_fds() == fds);
  CHECK(eventually([&] { return links_to(ids_of(*stage.hook).programs) == 7; }));
}

TEST_CASE("probe: this kernel has what the hook needs, and every lack would be named with a way out") {
  const auto features = probe_kernel();
  CHECK(features.size() > 15);
  for (const Feature& feature : features) {
    CAPTURE(feature.name);
    CHECK((feature.present || !feature.required));
    CHECK((feature.present || !feature.remedy.empty()));
  }
}

TEST_CASE("probe: without capabilities it says which are missing") {
  const Seen seen = in_cgroup(Stage().cgroup.mount(), [] {
    if (setresuid(65534, 65534, 65534) != 0) return Seen{.error = errno};
    const auto features = probe_kernel();
    const auto lacks = [&](std::string_view name) {
      return std::ranges::any_of(features, [&](const Feature& f) { return f.name == name && !f.present; });
    };
    return Seen{.error = lacks("CAP_BPF") && lacks("CAP_NET_ADMIN") && lacks("CAP_PERFMON") ? 0 : ENOENT};
  });
  CHECK(seen.error == 0);
}
