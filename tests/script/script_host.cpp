#include "tests/script/script_host.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>

#include "agent/script/host.h"

namespace lunar::testing {

ScriptHostProcess::ScriptHostProcess(int processes) {
  auto ends = Channel::pair();
  REQUIRE(ends);
  std::fflush(nullptr);  // the report of the tests so far would be written by the child too, under sanitizers
  pid_ = fork();
  REQUIRE(pid_ >= 0);
  if (pid_ == 0) {
    ends->first = Channel();
    _exit(run_script_host(ends->second.release().release()));
  }
  channel_ = std::move(ends->first);
  REQUIRE(channel_.send({{"processes", processes}}));
}

ScriptHostProcess::~ScriptHostProcess() {
  if (pid_ > 0) stop();
}

void ScriptHostProcess::leave() { channel_ = Channel(); }

int ScriptHostProcess::stop() {
  leave();
  int status = 0;
  waitpid(std::exchange(pid_, -1), &status, 0);
  return status;
}

Fd ScriptHostProcess::connect() {
  int ends[2];
  REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
  const Fd theirs(ends[1]);
  const std::array fds{theirs.get()};
  REQUIRE(channel_.send(nlohmann::json::object(), fds));
  return Fd(ends[0]);
}

std::vector<pid_t> ScriptHostProcess::workers() const {
  const std::string pid = std::to_string(pid_);
  std::ifstream children("/proc/" + pid + "/task/" + pid + "/children");
  std::vector<pid_t> found;
  for (pid_t child = 0; children >> child;) found.push_back(child);
  return found;
}

uint64_t WaitingClient::send(const ScriptCall& call) {
  const ScriptClient::Sent sent = codec_.encode_call(call);
  send_bytes(sent.bytes);
  return sent.id;
}

void WaitingClient::send_bytes(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count < 0) return;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
}

bool WaitingClient::receive() {
  std::array<char, 64 << 10> bytes;
  const ssize_t count = recv(socket_.get(), bytes.data(), bytes.size(), 0);
  if (count <= 0) return false;
  codec_.feed({bytes.data(), static_cast<size_t>(count)});
  while (auto reply = codec_.next_reply()) early_.emplace(reply->id, std::move(*reply));
  return true;
}

ScriptReply WaitingClient::wait_for(uint64_t id) {
  while (!early_.contains(id)) REQUIRE(receive());
  ScriptReply reply = std::move(early_.at(id));
  early_.erase(id);
  return reply;
}

}  // namespace lunar::testing
