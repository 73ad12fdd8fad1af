#include "tests/bpf/stage.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "agent/redirect/cgroup.h"
#include "agent/redirect/netns.h"

namespace lunar::test {

namespace {

namespace fs = std::filesystem;

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text + ": " + std::strerror(result.error().os_error));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void must_be_ok(int outcome, const char* what) {
  if (outcome < 0) throw std::runtime_error(std::string(what) + ": " + std::strerror(errno));
}

// Once per test process; the kernel removes the namespace with it.
void enter_own_network() {
  static const bool entered = [] {
    must_be_ok(unshare(CLONE_NEWNET), "unshare");
    must(netns::bring_loopback_up());
    command(std::string("ip address add ") + Stage::v4_origin + "/32 dev lo");
    command(std::string("ip -6 address add ") + Stage::v6_origin + "/128 dev lo nodad");
    return true;
  }();
  (void)entered;
}

Fd listen_at(const Endpoint& at) {
  sockaddr_storage address{};
  const socklen_t length = at.to(address);
  Fd fd(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  must_be_ok(bind(fd.get(), reinterpret_cast<sockaddr*>(&address), length), "bind");
  must_be_ok(listen(fd.get(), 1024), "listen");
  return fd;
}

Endpoint local_end(int fd) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  return Endpoint::from(address);
}

// Cgroups that a killed test process left.
void remove_leftovers(const std::string& mount) {
  for (const auto& entry : fs::directory_iterator(mount)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("lunar-test-") || kill(std::stoi(name.substr(11)), 0) == 0) continue;
    std::vector<fs::path> below;
    for (const auto& inner : fs::recursive_directory_iterator(entry))
      if (inner.is_directory()) below.insert(below.begin(), inner.path());
    for (const fs::path& inner : below) rmdir(inner.c_str());
    rmdir(entry.path().c_str());
  }
}

}  // namespace

void command(const std::string& line) {
  if (std::system(line.c_str()) != 0) throw std::runtime_error("failed: " + line);
}

CgroupScope::CgroupScope() : mount_(must(cgroup::mount_point())) {
  remove_leftovers(mount_);
  path_ = "/lunar-test-" + std::to_string(getpid());
  must_be_ok(mkdir(directory().c_str(), 0755), "mkdir");
}

CgroupScope::~CgroupScope() {
  enter_cgroup(mount_);
  std::vector<fs::path> below;
  std::error_code error;
  for (const auto& inner : fs::recursive_directory_iterator(directory(), error))
    if (inner.is_directory(error)) below.insert(below.begin(), inner.path());
  for (const fs::path& inner : below) rmdir(inner.c_str());
  rmdir(directory().c_str());
}

uint64_t CgroupScope::make(const std::string& name) const {
  must_be_ok(mkdir(directory(name).c_str(), 0755), "mkdir");
  return must(cgroup::id_of(directory(name)));
}

void CgroupScope::remove(const std::string& name) const { must_be_ok(rmdir(directory(name).c_str()), "rmdir"); }

unsigned CgroupScope::level(const std::string& name) const {
  return cgroup::shows_whole_tree(mount_) ? cgroup::level_of(path_ + name) : LUNAR_MAX_LEVELS;
}

void enter_cgroup(const std::string& directory) {
  std::ofstream out(directory + "/cgroup.procs");
  out << getpid() << std::flush;
  if (!out) throw std::runtime_error("cannot enter " + directory);
}

Seen in_cgroup(const std::string& directory, const std::function<Seen()>& body) {
  int ends[2];
  must_be_ok(pipe2(ends, O_CLOEXEC), "pipe");
  const Fd reader(ends[0]);
  Fd writer(ends[1]);
  const pid_t child = fork();
  must_be_ok(child, "fork");
  if (child == 0) {
    Seen seen;
    try {
      enter_cgroup(directory);
      seen = body();
    } catch (...) {
      seen.error = ECANCELED;
    }
    seen.pid = static_cast<uint32_t>(getpid());
    const ssize_t written = write(writer.get(), &seen, sizeof seen);
    _exit(written == sizeof seen ? 0 : 1);
  }
  writer.reset();
  Seen seen;
  const ssize_t size = read(reader.get(), &seen, sizeof seen);
  int status = 0;
  waitpid(child, &status, 0);
  if (size != sizeof seen) throw std::runtime_error("the client process died");
  return seen;
}

Seen finish(int fd, int error) {
  Seen seen{.error = error};
  if (error != 0) return seen;
  // Read first: with TCP Fast Open the handshake may still be under way.
  pollfd readable{.fd = fd, .events = POLLIN, .revents = 0};
  if (poll(&readable, 1, 3000) != 1 || recv(fd, &seen.who, 1, 0) != 1) seen.error = EIO;
  socklen_t length = sizeof seen.peer;
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&seen.peer), &length) != 0) seen.error = errno;
  length = sizeof seen.local;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&seen.local), &length) != 0) seen.error = errno;
  return seen;
}

Seen connect_once(const Endpoint& to, const Prepare& prepare, int family, int protocol) {
  sockaddr_storage address{};
  socklen_t length = to.to(address);
  if (family == AF_INET6 && address.ss_family == AF_INET) {
    auto& mapped = reinterpret_cast<sockaddr_in6&>(address);
    const uint16_t port = htons(to.port);
    mapped = {};
    mapped.sin6_family = AF_INET6;
    mapped.sin6_port = port;
    std::memcpy(&mapped.sin6_addr, to.address.bytes.data(), 16);
    length = sizeof mapped;
  }
  const Fd fd(socket(family != 0 ? family : address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, protocol));
  if (!fd) return {.error = errno};
  if (prepare) prepare(fd.get());
  const MonotonicTime before = monotonic_now();
  const int error = connect(fd.get(), reinterpret_cast<sockaddr*>(&address), length) == 0 ? 0 : errno;
  const auto elapsed = static_cast<uint64_t>((monotonic_now() - before).count());
  Seen seen = finish(fd.get(), error);
  seen.elapsed_ns = elapsed;
  return seen;
}

Greeter::Greeter() : wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)), thread_([this] { run(); }) {}

Greeter::~Greeter() {
  stop_ = true;
  eventfd_write(wake_.get(), 1);
  thread_.join();
}

void Greeter::serve(int listener_fd, char greeting) {
  {
    const std::lock_guard lock(mutex_);
    doors_.push_back({listener_fd, greeting});
  }
  eventfd_write(wake_.get(), 1);
}

void Greeter::pause(bool paused) {
  {
    const std::lock_guard lock(mutex_);
    paused_ = paused;
  }
  eventfd_write(wake_.get(), 1);
}

void Greeter::look_up_origins(const OriginMap* map) {
  const std::lock_guard lock(mutex_);
  origins_ = map;
}

std::vector<Greeter::Guest> Greeter::guests() {
  const std::lock_guard lock(mutex_);
  return std::exchange(guests_, {});
}

void Greeter::run() {
  while (!stop_) {
    std::vector<pollfd> polled{{.fd = wake_.get(), .events = POLLIN, .revents = 0}};
    std::vector<Door> doors;
    {
      const std::lock_guard lock(mutex_);
      if (!paused_) doors = doors_;
    }
    for (const Door& door : doors) polled.push_back({.fd = door.fd, .events = POLLIN, .revents = 0});
    poll(polled.data(), polled.size(), -1);
    eventfd_t ignored = 0;
    eventfd_read(wake_.get(), &ignored);
    const std::lock_guard lock(mutex_);
    if (paused_) continue;
    for (size_t i = 0; i < doors.size(); ++i) {
      if ((polled[i + 1].revents & POLLIN) == 0) continue;
      Fd guest(accept4(doors[i].fd, nullptr, nullptr, SOCK_CLOEXEC));
      if (!guest) continue;
      guests_.push_back({.greeting = doors[i].greeting,
                         .origin = origins_ != nullptr ? origins_->find(guest.get()) : std::nullopt,
                         .local = local_end(guest.get())});
      send(guest.get(), &doors[i].greeting, 1, MSG_NOSIGNAL);
      // Not closed at once: with bytes of the client unread that would be a reset.
      held_[next_held_++ % held_.size()] = std::move(guest);
    }
  }
}

Stage::Stage(uint32_t worker_count) : workers(worker_count) {
  enter_own_network();
  (void)cgroup.make("/gateway");
  (void)cgroup.make("/client");
  enter_cgroup(cgroup.directory("/gateway"));
  hook = must(Hook::create());
  hook->set_limits({.heartbeat_deadline = std::chrono::seconds(10)});
  RouteTable routes;
  routes.default_v4 = routes.default_v6 = true;
  must(hook->set_routes(routes));
  for (uint32_t w = 0; w < workers; ++w) {
    auto opened = must(open_worker_listeners(w, {}));
    hook->set_worker_ports(w, ports_of(opened));
    for (WorkerListener& listener : opened) {
      must(hook->tag_listener(listener.fd.get(), w));
      listeners.push_back(std::move(listener));
    }
  }
  hook->set_workers(workers);
  origins = std::make_unique<OriginMap>(hook->map_fd("accepted"));
  heartbeats = std::make_unique<Heartbeats>(must(Heartbeats::map(hook->map_fd("heartbeats"))));
  greeter.look_up_origins(origins.get());
  for (const WorkerListener& listener : listeners) greeter.serve(listener.fd.get(), 'G');
  for (const Endpoint& at : {origin4(), origin6()}) {
    origin_listeners_.push_back(listen_at(at));
    greeter.serve(origin_listeners_.back().get(), 'O');
  }
  must(hook->attach(cgroup.directory(), cgroup.directory("/gateway")));
  capture("/client");
  beat();
  hook->arm();
  mark();
}

Stage::~Stage() { hook->detach(); }

Seen Stage::client(const Endpoint& to, const Prepare& prepare, int family, int protocol) {
  return client([&] { return connect_once(to, prepare, family, protocol); });
}

uint64_t Stage::grown(lunar_reason reason) const { return hook->counters()[reason] - before_[reason]; }

void Stage::capture(const std::string& name, Policy policy) {
  must(hook->set_policy(must(cgroup::id_of(cgroup.directory(name))), cgroup.level(name), policy));
}

void Stage::beat() {
  for (uint32_t w = 0; w < workers; ++w) heartbeats->beat(w, monotonic_now());
}

}  // namespace lunar::test
