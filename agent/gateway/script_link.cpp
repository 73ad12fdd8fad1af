#include "agent/gateway/script_link.h"

#include <cstring>

namespace lunar::gateway {

ScriptLink::ScriptLink(uring::Loop& loop, Fd socket) : loop_(loop), waker_(loop) {
  stream_ = uring::Stream::adopt(loop, std::move(socket));
  stream_->wake(&waker_);
}

void ScriptLink::stop() {
  stopping_ = true;
  waker_.signal();
}

uring::Task<> ScriptLink::run() {
  while (!stopping_ && stream_->error() == 0 && !client_.broken()) {
    read_replies();
    if (stream_->ended()) break;
    co_await waker_.wait(MonotonicTime::max());
  }
  stream_.reset();
  for (auto& [id, call] : calls_)
    if (!call.reply) call.waker->signal();
}

void ScriptLink::read_replies() {
  while (stream_->input() != nullptr) {
    uring::BufferRef piece = stream_->take();
    client_.feed(piece->view());
  }
  while (auto reply = client_.next_reply()) {
    auto call = calls_.find(reply->id);
    if (call == calls_.end()) continue;
    call->second.reply = std::move(reply);
    call->second.waker->signal();
  }
}

uint64_t ScriptLink::call(const effect::RunScript& script, uring::Waker& waker) {
  ScriptClient::Sent sent = client_.encode_call(
      {.script = script.text,
       .timeout_ms = static_cast<uint32_t>(script.cpu_time.count()),
       .max_heap_mb = static_cast<uint32_t>(script.heap_bytes >> 20),
       .request = script.request,
       .response = script.response ? std::optional<std::string_view>(*script.response) : std::nullopt});
  calls_[sent.id] = {.waker = &waker, .reply = {}};
  if (stream_ == nullptr) return sent.id;
  uring::BufferRef out = loop_.buffers().sized(static_cast<uint32_t>(sent.bytes.size()));
  memcpy(out->memory, sent.bytes.data(), sent.bytes.size());
  out->end = static_cast<uint32_t>(sent.bytes.size());
  stream_->send(std::move(out));
  return sent.id;
}

std::optional<reply::Scripted> ScriptLink::reply(uint64_t id) {
  auto call = calls_.find(id);
  if (call == calls_.end()) return std::nullopt;
  if (!call->second.reply && stream_ != nullptr) return std::nullopt;
  reply::Scripted out;
  if (!call->second.reply) {
    out.error = "the script host is gone";
  } else if (call->second.reply->success) {
    out.changes = std::move(call->second.reply->text);
  } else {
    out.error = std::move(call->second.reply->text);
  }
  calls_.erase(call);
  return out;
}

}  // namespace lunar::gateway
