// A script worker as its parent sees it.
#pragma once

#include <sys/types.h>

#include <string>

#include "agent/base/fd.h"
#include "agent/script/interpreter.h"
#include "flowengine/result.h"

namespace lunar::script {

class WorkerProcess {
 public:
  [[nodiscard]] static Result<WorkerProcess> start(Interpreter& interpreter);
  WorkerProcess(WorkerProcess&& other) noexcept
      : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}
  WorkerProcess& operator=(WorkerProcess&& other) noexcept {
    std::swap(pid_, other.pid_);
    std::swap(socket_, other.socket_);
    return *this;
  }
  ~WorkerProcess();  // kills and reaps it

  [[nodiscard]] int fd() const { return socket_.get(); }  // non-blocking
  void kill() const;
  // Reaps a worker whose socket is closed, or closes it, and says for people why it ended.
  [[nodiscard]] std::string reason_of_end(uint32_t timeout_ms);

 private:
  WorkerProcess(pid_t pid, Fd socket) : pid_(pid), socket_(std::move(socket)) {}

  pid_t pid_;
  Fd socket_;
};

}  // namespace lunar::script
