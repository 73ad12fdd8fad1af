// Named targets on real cgroups, with the hook attached.
#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "agent/redirect/attachments.h"
#include "agent/redirect/cgroup.h"
#include "agent/redirect/netns.h"
#include "tests/bpf/stage.h"

using namespace lunar;
using namespace lunar::test;

namespace {

// The stage, with nothing captured yet.
struct Attached {
  Stage stage;
  std::string state_directory;
  std::unique_ptr<Attachments> attachments;

  Attached() {
    stage.hook->clear_policy(*cgroup::id_of(stage.cgroup.directory("/client")));
    std::string pattern = std::filesystem::temp_directory_path() / "lunar-state-XXXXXX";
    state_directory = mkdtemp(pattern.data());
    reopen();
  }
  ~Attached() { std::filesystem::remove_all(state_directory); }
  void reopen(NetnsListeners* netns = nullptr) {
    attachments.reset();
    auto opened = Attachments::open(*stage.hook, netns, places());
    REQUIRE(opened);
    attachments = std::move(*opened);
  }
  [[nodiscard]] Attachments::Places places() const {
    return {.cgroup_root = stage.cgroup.mount(),
            .state_file = state_directory + "/attachments.json",
            .own_cgroup = stage.cgroup.path() + "/gateway"};
  }
  [[nodiscard]] char who_answers(const std::string& name) const {
    return in_cgroup(stage.cgroup.directory(name), [&] { return connect_once(stage.origin4()); }).who;
  }
  // Waits for inotify, as the supervisor's loop does.
  void take_events() const {
    pollfd readable{.fd = attachments->fd(), .events = POLLIN, .revents = 0};
    REQUIRE(poll(&readable, 1, 5000) == 1);
    attachments->on_readable();
  }
};

Fd allow_all_egress() {
  const bpf_insn program[] = {{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 1},
                              {.code = BPF_JMP | BPF_EXIT, .dst_reg = 0, .src_reg = 0, .off = 0, .imm = 0}};
  return Fd(bpf_prog_load(BPF_PROG_TYPE_CGROUP_SKB, "test_egress", "GPL", program, std::size(program), nullptr));
}

// A process that runs in a cgroup until it is told to go on, and again until it is told to end.
class Companion {
 public:
  Companion(const std::string& directory, const std::function<void(Companion&)>& body) {
    int to[2];
    int from[2];
    REQUIRE(pipe2(to, O_CLOEXEC) == 0);
    REQUIRE(pipe2(from, O_CLOEXEC) == 0);
    pid_ = fork();
    if (pid_ == 0) {
      in_.reset(to[0]);
      out_.reset(from[1]);
      close(to[1]);
      close(from[0]);
      try {
        enter_cgroup(directory);
        body(*this);
      } catch (...) {
        _exit(1);
      }
      _exit(0);
    }
    in_.reset(from[0]);
    out_.reset(to[1]);
    close(to[0]);
    close(from[1]);
  }
  ~Companion() { end(); }
  void say(char c) const { REQUIRE(write(out_.get(), &c, 1) == 1); }
  [[nodiscard]] char hear() const {
    char c = '?';
    return read(in_.get(), &c, 1) == 1 ? c : '!';
  }
  [[nodiscard]] pid_t pid() const { return pid_; }
  void end() {
    if (pid_ <= 0) return;
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  Fd in_;
  Fd out_;
};

}  // namespace

TEST_CASE("attachments: attach and detach capture and release a cgroup, and are idempotent") {
  Attached a;
  CHECK(a.who_answers("/client") == 'O');
  const std::string target = a.stage.cgroup.path() + "/client";
  const auto report = a.attachments->attach(target);
  REQUIRE(report);
  CHECK(report->created);
  CHECK(report->attachment.cgroups == std::vector{target});
  CHECK(report->attachment.warnings.empty());
  CHECK(a.who_answers("/client") == 'G');
  const auto again = a.attachments->attach(a.stage.cgroup.mount() + target + "/");
  REQUIRE(again);
  CHECK_FALSE(again->created);
  CHECK(a.attachments->list().size() == 1);
  REQUIRE(a.attachments->attach(target, {.policy = Policy::bypass}));
  CHECK(a.who_answers("/client") == 'O');
  REQUIRE(a.attachments->attach(target));
  CHECK(a.who_answers("/client") == 'G');
  CHECK(*a.attachments->detach(target));
  CHECK(a.who_answers("/client") == 'O');
  CHECK_FALSE(*a.attachments->detach(target));
  CHECK(a.attachments->list().empty());
}

TEST_CASE("attachments: a unit whose cgroup is made again is captured again") {
  Attached a;
  const auto report = a.attachments->attach("lunar-shop.service");
  REQUIRE(report);
  CHECK(report->attachment.cgroups.empty());  // waits for it to start
  for (int restart = 0; restart < 3; ++restart) {
    (void)a.stage.cgroup.make("/lunar-shop.service");
    a.take_events();
    CHECK(a.who_answers("/lunar-shop.service") == 'G');
    CHECK(a.attachments->list().front().cgroups.size() == 1);
    a.stage.cgroup.remove("/lunar-shop.service");
    a.take_events();
    CHECK(a.attachments->list().front().cgroups.empty());
  }
  CHECK(a.stage.hook->policies().size() == 1);  // our own cgroup's
}

TEST_CASE("attachments: a cgroup removed and made again between two looks is captured") {
  Attached a;
  (void)a.stage.cgroup.make("/lunar-shop.service");
  REQUIRE(a.attachments->attach("lunar-shop.service"));
  a.stage.cgroup.remove("/lunar-shop.service");
  (void)a.stage.cgroup.make("/lunar-shop.service");
  a.take_events();
  CHECK(a.who_answers("/lunar-shop.service") == 'G');
}

TEST_CASE("attachments: cgroups made deep below at once are found, and inherit") {
  Attached a;
  REQUIRE(a.attachments->attach("lunar-shop.service"));
  (void)a.stage.cgroup.make("/a");
  (void)a.stage.cgroup.make("/a/b");
  (void)a.stage.cgroup.make("/a/b/lunar-shop.service");
  (void)a.stage.cgroup.make("/a/b/lunar-shop.service/worker");
  a.attachments->on_readable();
  CHECK(a.who_answers("/a/b/lunar-shop.service/worker") == 'G');
  CHECK(a.who_answers("/a/b") == 'O');
}

TEST_CASE("attachments: survive a restart, and are withdrawn when they were detached meanwhile") {
  Attached a;
  const std::string target = a.stage.cgroup.path() + "/client";
  REQUIRE(a.attachments->attach(target));
  REQUIRE(a.attachments->attach("lunar-shop.service"));
  a.attachments.reset();
  CHECK(a.who_answers("/client") == 'G');  // the hook goes on without us
  a.reopen();
  CHECK(a.attachments->list().size() == 2);
  CHECK(a.who_answers("/client") == 'G');
  a.attachments.reset();
  std::filesystem::remove(a.state_directory + "/attachments.json");
  a.reopen();
  CHECK(a.who_answers("/client") == 'O');
}

TEST_CASE("attachments: a transient one is captured, and forgotten at the restart") {
  Attached a;
  REQUIRE(a.attachments->attach(a.stage.cgroup.path() + "/client", {.transient = true}));
  CHECK(a.who_answers("/client") == 'G');
  a.reopen();
  CHECK(a.attachments->list().empty());
  CHECK(a.who_answers("/client") == 'O');
}

TEST_CASE("attachments: without ports that the hook knows, no listener is opened in a namespace") {
  Attached a;
  for (uint32_t w = 0; w < a.stage.workers; ++w) a.stage.hook->set_worker_ports(w, {});
  NetnsListeners netns(*a.stage.hook, a.stage.workers, {});
  const Companion container(a.stage.cgroup.directory("/client"), [](const Companion& self) {
    if (unshare(CLONE_NEWNET) == 0) self.say('r');
    (void)self.hear();
  });
  CHECK(container.hear() == 'r');
  CHECK_FALSE(netns.hold(1, static_cast<uint32_t>(container.pid())));
  CHECK(netns.namespaces() == 0);
  for (const WorkerListener& listener : a.stage.listeners)
    a.stage.hook->set_worker_ports(listener.worker, {.v4 = listener.address.port});
  CHECK(netns.hold(1, static_cast<uint32_t>(container.pid())));
  CHECK(netns.namespaces() == 1);
  netns.release(1);
  CHECK(netns.namespaces() == 0);
}

TEST_CASE("attachments: a damaged state file is an error and stays as it is") {
  Attached a;
  a.attachments.reset();
  std::ofstream(a.state_directory + "/attachments.json") << "{\"version\":";
  const auto opened = Attachments::open(*a.stage.hook, nullptr, a.places());
  REQUIRE_FALSE(opened);
  CHECK(opened.error().text.find("attachments.json") != std::string::npos);
  CHECK(std::filesystem::file_size(a.state_directory + "/attachments.json") == 11);
}

TEST_CASE("attachments: pid: means the cgroup of that process; our own and the root's are refused") {
  Attached a;
  const Companion app(a.stage.cgroup.directory("/client"), [](const Companion& self) {
    self.say('r');
    (void)self.hear();
  });
  CHECK(app.hear() == 'r');
  const auto report = a.attachments->attach("pid:" + std::to_string(app.pid()));
  REQUIRE(report);
  CHECK(report->attachment.target == a.stage.cgroup.path() + "/client");
  CHECK(a.who_answers("/client") == 'G');
  CHECK_FALSE(a.attachments->attach("pid:" + std::to_string(getpid())));
  CHECK_FALSE(a.attachments->attach("pid:1x"));
  CHECK_FALSE(a.attachments->attach("pid:4194305"));
}

TEST_CASE("attachments: a cgroup with an egress filter is bypassed, with a warning") {
  Attached a;
  const Fd filter = allow_all_egress();
  REQUIRE(filter);
  const Fd cgroup(open(a.stage.cgroup.directory("/client").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(bpf_prog_attach(filter.get(), cgroup.get(), BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI) == 0);
  const auto report = a.attachments->attach(a.stage.cgroup.path() + "/client");
  REQUIRE(report);
  REQUIRE(report->attachment.warnings.size() == 1);
  CHECK(report->attachment.warnings[0].find("egress filter") != std::string::npos);
  CHECK(a.who_answers("/client") == 'O');
  REQUIRE(bpf_prog_detach2(filter.get(), cgroup.get(), BPF_CGROUP_INET_EGRESS) == 0);
}

TEST_CASE("attachments: a filter that appears inside a captured cgroup bypasses that part, until it goes") {
  Attached a;
  (void)a.stage.cgroup.make("/client/guarded");
  REQUIRE(a.attachments->attach(a.stage.cgroup.path() + "/client"));
  CHECK(a.who_answers("/client/guarded") == 'G');
  const Fd filter = allow_all_egress();
  const Fd cgroup(open(a.stage.cgroup.directory("/client/guarded").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  REQUIRE(bpf_prog_attach(filter.get(), cgroup.get(), BPF_CGROUP_INET_EGRESS, BPF_F_ALLOW_MULTI) == 0);
  a.attachments->refresh();
  CHECK(a.who_answers("/client/guarded") == 'O');
  CHECK(a.who_answers("/client") == 'G');
  CHECK(a.attachments->list().front().warnings.size() == 1);
  REQUIRE(bpf_prog_detach2(filter.get(), cgroup.get(), BPF_CGROUP_INET_EGRESS) == 0);
  a.attachments->refresh();
  CHECK(a.who_answers("/client/guarded") == 'G');
  CHECK(a.attachments->list().front().warnings.empty());
}

TEST_CASE("attachments: reset_existing resets what the processes have open, and nothing else") {
  Attached a;
  const auto hold_a_connection = [&a](const Companion& self) {
    sockaddr_storage address{};
    const socklen_t length = a.stage.origin4().to(address);
    const Fd fd(socket(AF_INET, SOCK_STREAM, 0));
    char byte = 0;
    const bool open = connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                      recv(fd.get(), &byte, 1, 0) == 1 && byte == 'O';
    self.say(open ? 'r' : '!');
    (void)self.hear();
    pollfd readable{.fd = fd.get(), .events = POLLIN, .revents = 0};
    const bool reset = poll(&readable, 1, 200) == 1 && recv(fd.get(), &byte, 1, 0) < 0;
    self.say(reset ? 'x' : '.');
  };
  (void)a.stage.cgroup.make("/other");
  const Companion app(a.stage.cgroup.directory("/client"), hold_a_connection);
  const Companion bystander(a.stage.cgroup.directory("/other"), hold_a_connection);
  CHECK(app.hear() == 'r');
  CHECK(bystander.hear() == 'r');
  const auto report = a.attachments->attach(a.stage.cgroup.path() + "/client", {.reset_existing = true});
  REQUIRE(report);
  CHECK(report->connections_reset == 1);
  CHECK(report->attachment.warnings.empty());
  app.say('g');
  bystander.say('g');
  CHECK(app.hear() == 'x');
  CHECK(bystander.hear() == '.');
}

TEST_CASE("attachments: a foreign network namespace goes direct, until listeners are opened inside") {
  Attached a;
  std::vector<Fd> gateway_copies;
  NetnsListeners netns(*a.stage.hook, a.stage.workers, [&](uint64_t, std::span<const WorkerListener> opened) {
    for (const WorkerListener& listener : opened) {
      gateway_copies.emplace_back(fcntl(listener.fd.get(), F_DUPFD_CLOEXEC, 3));
      a.stage.greeter.serve(gateway_copies.back().get(), 'G');
    }
  });
  a.reopen(&netns);
  const std::string target = a.stage.cgroup.path() + "/client";
  REQUIRE(a.attachments->attach(target));
  Companion container(a.stage.cgroup.directory("/client"), [&a](const Companion& self) {
    if (unshare(CLONE_NEWNET) != 0 || !netns::bring_loopback_up()) return;
    command(std::string("ip address add ") + Stage::v4_origin + "/32 dev lo");
    sockaddr_storage address{};
    const socklen_t length = a.stage.origin4().to(address);
    const Fd origin(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0));
    if (bind(origin.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 || listen(origin.get(), 8) != 0) return;
    self.say('r');
    while (self.hear() == 'c') {
      const Fd client(socket(AF_INET, SOCK_STREAM, 0));
      const int connected = connect(client.get(), reinterpret_cast<sockaddr*>(&address), length);
      const Fd direct(accept(origin.get(), nullptr, nullptr));
      self.say(connected != 0 ? '!' : direct ? 'O' : finish(client.get(), 0).who);
    }
  });
  CHECK(container.hear() == 'r');
  container.say('c');
  CHECK(container.hear() == 'O');
  CHECK(a.stage.grown(LUNAR_NO_LISTENER) == 1);
  CHECK(netns.namespaces() == 0);

  const auto report = a.attachments->attach(target, {.netns = true});
  REQUIRE(report);
  CHECK(report->attachment.warnings.empty());
  CHECK(netns.namespaces() == 1);
  REQUIRE(gateway_copies.size() == a.stage.listeners.size());
  (void)a.stage.greeter.guests();
  container.say('c');
  CHECK(container.hear() == 'G');
  const auto guests = a.stage.greeter.guests();
  REQUIRE(guests.size() == 1);
  REQUIRE(guests[0].origin);
  CHECK(guests[0].origin->destination == a.stage.origin4());

  a.stage.greeter.pause(true);
  container.end();
  a.take_events();  // cgroup.events: not populated any more
  CHECK(netns.namespaces() == 0);
  // What the gateway holds ends too, so that nothing keeps the namespace alive.
  CHECK(accept4(gateway_copies.front().get(), nullptr, nullptr, SOCK_NONBLOCK) == -1);
  CHECK(errno == EINVAL);
}
