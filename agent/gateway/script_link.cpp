#include "agent/gateway/script_link.h"

#include <cstring>

namespace lunar::gateway {
namespace {

ScriptReply lost(uint64_t call) { return {.id = call, .success = false, .text = "the script host is gone"}; }

}  // namespace

void ScriptLink::connect(Fd socket) {
  disconnect();
  if (stopping_) return;
  stream_ = uring::Stream::adopt(loop_, std::move(socket));
  stream_->wake(&waker_);
}

void ScriptLink::disconnect() {
  stream_.reset();
  client_.reconnect();
  for (auto& [id, call] : calls_) {
    if (call.reply) continue;
    call.reply = lost(id);
    call.waker->signal();
  }
}

void ScriptLink::stop() {
  stopping_ = true;
  waker_.signal();
}

uring::Task<> ScriptLink::run() {
  while (!stopping_) {
    if (stream_ != nullptr) read_replies();
    co_await waker_.wait(MonotonicTime::max());
  }
  disconnect();
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
  if (stream_->error() != 0 || stream_->ended() || client_.broken()) disconnect();
}

uint64_t ScriptLink::call(const effect::RunScript& script, uring::Waker& waker) {
  ScriptClient::Sent sent = client_.encode_call(
      {.script = script.text,
       .timeout_ms = static_cast<uint32_t>(script.cpu_time.count()),
       .max_heap_mb = static_cast<uint32_t>(script.heap_bytes >> 20),
       .request = script.request,
       .response = script.response ? std::optional<std::string_view>(*script.response) : std::nullopt});
  Call& call = calls_[sent.id];
  call.waker = &waker;
  if (stream_ == nullptr) {
    call.reply = lost(sent.id);
    return sent.id;
  }
  uring::BufferRef out = loop_.buffers().sized(static_cast<uint32_t>(sent.bytes.size()));
  memcpy(out->memory, sent.bytes.data(), sent.bytes.size());
  out->end = static_cast<uint32_t>(sent.bytes.size());
  stream_->send(std::move(out));
  return sent.id;
}

std::optional<reply::Scripted> ScriptLink::reply(uint64_t id) {
  auto call = calls_.find(id);
  if (call == calls_.end() || !call->second.reply) return std::nullopt;
  reply::Scripted out;
  if (call->second.reply->success) {
    out.changes = std::move(call->second.reply->text);
  } else {
    out.error = std::move(call->second.reply->text);
  }
  calls_.erase(call);
  return out;
}

}  // namespace lunar::gateway
