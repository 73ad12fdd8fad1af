#include "agent/script/host.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <deque>
#include <list>
#include <optional>
#include <vector>

#include "agent/base/channel.h"
#include "agent/base/log.h"
#include "agent/script/frame.h"
#include "agent/script/worker_process.h"

namespace lunar {
namespace {

using namespace script;
using Clock = std::chrono::steady_clock;

constexpr size_t kDefaultProcesses = 2;
constexpr size_t kMaxProcesses = 64;
constexpr size_t kMaxQueuedCalls = 4096;
constexpr size_t kMaxQueuedBytes = 256 << 20;
// The worker keeps the limit of CPU time itself; this is for one that cannot, and generous to a machine under load.
constexpr std::chrono::seconds kPatience{30};
constexpr uint32_t kMaxTimeout = 1000;
constexpr uint32_t kMaxHeap = 256;

struct Client {
  uint64_t number;
  Fd socket;
  FrameReader in;
  std::string out;
};

struct Job {
  uint64_t client;
  Frame call;
};

struct Worker {
  std::optional<WorkerProcess> process;
  FrameReader in;
  std::string out;
  std::optional<Job> job;
  Clock::time_point deadline;
};

enum class Stream { open, closed };

Stream read_all(int socket, FrameReader& into) {
  std::array<char, 64 << 10> bytes;
  for (;;) {
    const ssize_t count = recv(socket, bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (count > 0) into.feed({bytes.data(), static_cast<size_t>(count)});
    if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) return Stream::closed;
    if (count < 0 && errno == EAGAIN) return into.broken() ? Stream::closed : Stream::open;
  }
}

Stream write_some(int socket, std::string& out) {
  size_t sent = 0;
  while (sent < out.size()) {
    const ssize_t count = send(socket, out.data() + sent, out.size() - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno != EAGAIN) return Stream::closed;
    if (count < 0) break;
    sent += static_cast<size_t>(count);
  }
  out.erase(0, sent);
  return Stream::open;
}

class ScriptHost {
 public:
  explicit ScriptHost(Channel control) : control_(std::move(control)), workers_(kDefaultProcesses) {}
  int run();

 private:
  bool wait();
  bool take_clients();
  void serve(Client& client, short events);
  void serve(Worker& worker, short events);
  void enqueue(Job job);
  void dispatch();
  bool give(Worker& worker);
  void end_job(Worker& worker, const Frame& reply);
  void bury(Worker& worker);
  void reply(const Job& job, FrameHead head, std::string_view text);
  void start(Worker& worker);

  Channel control_;
  bool running_ = false;  // the first message has come
  Interpreter interpreter_;
  std::list<Client> clients_;
  std::vector<Worker> workers_;
  std::deque<Job> queue_;
  size_t queued_bytes_ = 0;
  uint64_t next_client_ = 1;
};

int ScriptHost::run() {
  while (wait()) {
    for (Worker& worker : workers_) {
      if (worker.job && Clock::now() >= worker.deadline) worker.process->kill();
    }
    std::erase_if(clients_, [](const Client& client) { return !client.socket; });
    if (control_.closed() && clients_.empty()) break;
    dispatch();
  }
  return 0;
}

short wanted(const std::string& out) { return static_cast<short>(out.empty() ? POLLIN : POLLIN | POLLOUT); }

bool ScriptHost::wait() {
  std::vector<pollfd> polled{{.fd = control_.closed() ? -1 : control_.fd(), .events = POLLIN, .revents = 0}};
  for (const Client& client : clients_)
    polled.push_back({.fd = client.socket.get(), .events = wanted(client.out), .revents = 0});
  bool busy = false;
  for (const Worker& worker : workers_) {
    polled.push_back({.fd = worker.process ? worker.process->fd() : -1, .events = wanted(worker.out), .revents = 0});
    busy = busy || worker.job;
  }
  if (poll(polled.data(), polled.size(), busy ? 1000 : -1) < 0) return errno == EINTR;
  size_t at = 1;
  for (Client& client : clients_) serve(client, polled[at++].revents);
  for (Worker& worker : workers_) serve(worker, polled[at++].revents);
  return polled[0].revents == 0 || take_clients();
}

bool ScriptHost::take_clients() {
  for (;;) {
    auto message = control_.receive();
    if (!message) return false;
    if (!*message) return true;
    if (!running_) {
      const auto asked = (*message)->body.value("processes", uint64_t{kDefaultProcesses});
      workers_ = std::vector<Worker>(std::clamp<size_t>(asked, 1, kMaxProcesses));
      for (Worker& worker : workers_) start(worker);
      running_ = true;
    }
    for (Fd& socket : (*message)->fds) clients_.push_back({.number = next_client_++, .socket = std::move(socket)});
  }
}

void ScriptHost::serve(Client& client, short events) {
  Stream state = Stream::open;
  if ((events & POLLOUT) != 0) state = write_some(client.socket.get(), client.out);
  if ((events & ~POLLOUT) != 0 && state == Stream::open) state = read_all(client.socket.get(), client.in);
  while (auto frame = client.in.next()) enqueue({.client = client.number, .call = std::move(*frame)});
  if (state == Stream::closed || client.in.broken()) client.socket.reset();
}

void ScriptHost::serve(Worker& worker, short events) {
  if (events == 0 || !worker.process) return;
  Stream state = Stream::open;
  if ((events & POLLOUT) != 0) state = write_some(worker.process->fd(), worker.out);
  if ((events & ~POLLOUT) != 0 && state == Stream::open) state = read_all(worker.process->fd(), worker.in);
  if (auto frame = worker.in.next()) end_job(worker, *frame);
  if (worker.process && (state == Stream::closed || worker.in.broken())) bury(worker);
}

void ScriptHost::enqueue(Job job) {
  if (queue_.size() >= kMaxQueuedCalls || queued_bytes_ + job.call.text.size() > kMaxQueuedBytes)
    return reply(job, {.kind = FrameKind::failure}, "too many scripts are waiting to run");
  queued_bytes_ += job.call.text.size();
  queue_.push_back(std::move(job));
}

void ScriptHost::dispatch() {
  for (Worker& worker : workers_) {
    if (queue_.empty()) return;
    if (worker.job) continue;
    if (!worker.process) start(worker);
    if (!give(worker)) return;
  }
}

// False if there is no process, of which there may be none at all.
bool ScriptHost::give(Worker& worker) {
  Job job = std::move(queue_.front());
  queue_.pop_front();
  queued_bytes_ -= job.call.text.size();
  if (!worker.process) {
    reply(job, {.kind = FrameKind::failure}, "no process can be started for the script");
    return false;
  }
  FrameHead& head = job.call.head;
  head.timeout_ms = std::clamp<uint32_t>(head.timeout_ms, 1, kMaxTimeout);
  head.max_heap_mb = std::clamp<uint32_t>(head.max_heap_mb, 1, kMaxHeap);
  worker.out = encode_frame(head, job.call.text);
  job.call.text = {};
  worker.job = std::move(job);
  worker.deadline = Clock::now() + kPatience;
  if (write_some(worker.process->fd(), worker.out) == Stream::closed) bury(worker);
  return true;
}

void ScriptHost::end_job(Worker& worker, const Frame& frame) {
  if (!worker.job || frame.head.id != worker.job->call.head.id || frame.head.kind == FrameKind::call)
    return worker.process->kill();  // not what a worker of ours says; its end is noticed like any other
  reply(*worker.job, {.kind = frame.head.kind}, frame.text);
  worker.job.reset();
  if (frame.head.last != 0) bury(worker);
}

void ScriptHost::bury(Worker& worker) {
  const std::string reason = worker.process->reason_of_end(worker.job ? worker.job->call.head.timeout_ms : 0);
  if (worker.job) reply(*worker.job, {.kind = FrameKind::failure}, reason);
  worker = Worker{};
  start(worker);
}

void ScriptHost::reply(const Job& job, FrameHead head, std::string_view text) {
  const auto client = std::ranges::find(clients_, job.client, &Client::number);
  if (client == clients_.end() || !client->socket) return;
  head.id = job.call.head.id;
  client->out += encode_frame(head, text);
  if (write_some(client->socket.get(), client->out) == Stream::closed) client->socket.reset();
}

void ScriptHost::start(Worker& worker) {
  auto process = WorkerProcess::start(interpreter_);
  if (process)
    worker.process.emplace(std::move(*process));
  else
    log::warn("{}", process.error().text);
}

}  // namespace

int run_script_host(int channel_fd) {
  // The service manager and terminals signal all processes; this one and its workers serve as long as there are
  // gateways.
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGPIPE}) signal(number, SIG_IGN);
  return ScriptHost(Channel(Fd(channel_fd))).run();
}

}  // namespace lunar
