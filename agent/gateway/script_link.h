// One worker's connection to the script host: calls go out, replies wake the sessions that wait for them. While no host
// is there, calls fail at once.
#pragma once

#include <map>
#include <string>

#include "agent/script/client.h"
#include "agent/uring/stream.h"
#include "flowengine/run/effect.h"

namespace lunar::gateway {

// All calls on the worker's thread.
class ScriptLink {
 public:
  explicit ScriptLink(uring::Loop& loop) : loop_(loop), waker_(loop) {}

  [[nodiscard]] uring::Task<> run();  // until stop()
  void stop();
  // A stream socket to a host, in place of the one before, whose calls have failed.
  void connect(Fd socket);

  [[nodiscard]] bool alive() const { return stream_ != nullptr; }
  // The number of a call; its reply wakes `waker` until forget().
  [[nodiscard]] uint64_t call(const effect::RunScript& script, uring::Waker& waker);
  [[nodiscard]] std::optional<reply::Scripted> reply(uint64_t call);  // once; a failure where the host has gone
  void forget(uint64_t call) { calls_.erase(call); }

 private:
  struct Call {
    uring::Waker* waker = nullptr;
    std::optional<ScriptReply> reply;
  };
  void read_replies();
  void disconnect();

  uring::Loop& loop_;
  uring::Waker waker_;
  uring::StreamRef stream_;
  ScriptClient client_;
  std::map<uint64_t, Call> calls_;
  bool stopping_ = false;
};

}  // namespace lunar::gateway
