// One worker's connection to the script host: calls go out, replies wake the sessions that wait for them.
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
  ScriptLink(uring::Loop& loop, Fd socket);

  // Ends when the host has gone, or after stop().
  [[nodiscard]] uring::Task<> run();
  void stop();

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

  uring::Loop& loop_;
  uring::Waker waker_;
  uring::StreamRef stream_;
  ScriptClient client_;
  std::map<uint64_t, Call> calls_;
  bool stopping_ = false;
};

}  // namespace lunar::gateway
