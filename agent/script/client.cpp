#include "agent/script/client.h"

#include <utility>

namespace lunar {

ScriptClient::Sent ScriptClient::encode_call(const ScriptCall& call) {
  const script::FrameHead head{.kind = script::FrameKind::call,
                               .id = next_id_++,
                               .timeout_ms = call.timeout_ms,
                               .max_heap_mb = call.max_heap_mb};
  const std::string texts =
      script::join_texts({.script = call.script, .request = call.request, .response = call.response});
  return {.id = head.id, .bytes = script::encode_frame(head, texts)};
}

std::optional<ScriptReply> ScriptClient::next_reply() {
  std::optional<script::Frame> frame = reader_.next();
  if (!frame) return std::nullopt;
  return ScriptReply{
      .id = frame->head.id, .success = frame->head.kind == script::FrameKind::success, .text = std::move(frame->text)};
}

}  // namespace lunar
