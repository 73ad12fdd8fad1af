// A script host in a process of its own, and a client of it that waits.
#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "agent/base/channel.h"
#include "agent/script/client.h"

namespace lunar::testing {

class ScriptHostProcess {
 public:
  explicit ScriptHostProcess(int processes = 2);
  ScriptHostProcess(const ScriptHostProcess&) = delete;
  ScriptHostProcess& operator=(const ScriptHostProcess&) = delete;
  ~ScriptHostProcess();

  [[nodiscard]] Fd connect();  // one more client
  [[nodiscard]] std::vector<pid_t> workers() const;
  void leave();  // closes the channel
  int stop();    // the same; the exit status of the host
  [[nodiscard]] pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  Channel channel_;
};

class WaitingClient {
 public:
  explicit WaitingClient(Fd socket) : socket_(std::move(socket)) {}

  ScriptReply run(const ScriptCall& call) { return wait_for(send(call)); }
  uint64_t send(const ScriptCall& call);
  ScriptReply wait_for(uint64_t id);
  void send_bytes(std::string_view bytes) const;
  [[nodiscard]] int fd() const { return socket_.get(); }
  bool receive();  // false at the end of the stream

 private:
  Fd socket_;
  ScriptClient codec_;
  std::map<uint64_t, ScriptReply> early_;
};

// A host and a client for most tests.
struct Scripts {
  ScriptHostProcess host;
  WaitingClient client{host.connect()};

  ScriptReply request(std::string_view script, std::string_view document = R"({"headers":{}})") {
    return client.run({.script = script, .timeout_ms = 500, .request = document, .response = {}});
  }
  ScriptReply response(std::string_view script, std::string_view document) {
    return client.run({.script = script,
                       .timeout_ms = 500,
                       .request = R"({"method":"POST","headers":{"A":"b"}})",
                       .response = document});
  }
};

}  // namespace lunar::testing
