#include "agent/gateway/answers.h"

#include <array>

#include "agent/http/serializer.h"

namespace lunar::gateway {
namespace {

struct Row {
  int code;
  int status;
  Termination termination;
  std::string_view text;
};

// In the order of Refusal.
constexpr std::array<Row, 12> rows{{
    {1, 401, Termination::refused, "The request does not say where it goes"},
    {2, 503, Termination::refused, "The endpoint cannot be reached"},
    {3, 504, Termination::timeout, "Gateway timeout"},
    {4, 404, Termination::refused, "Endpoint not found: the destination is the gateway itself"},
    {5, 503, Termination::refused, "Could not resolve host"},
    {6, 403, Termination::refused, "The host is not in allowed_domains"},
    {7, 403, Termination::refused, "The host is in blocked_domains"},
    {10, 503, Termination::shutdown, "The gateway is shutting down"},
    {20, 503, Termination::refused, "A flow failed"},
    {21, 400, Termination::refused, "Malformed HTTP"},
    {21, 431, Termination::refused, "The request head is too large"},
    {22, 421, Termination::refused, "This connection is for another host"},
}};

}  // namespace

void answer(Session& session, RecordDraft& draft, const Answer& what) {
  const Row& row = rows[static_cast<size_t>(what.refusal)];
  draft.x_lunar_error = static_cast<uint8_t>(row.code);
  draft.status = static_cast<uint16_t>(row.status);
  if (what.refusal == Refusal::routing && session.worker.config().query_params_mode) draft.status = 503;
  draft.termination = row.termination;

  std::string text(row.text);
  if (!what.detail.empty()) text += ": " + what.detail;
  std::string id = draft.request_id(session.worker.shared().request_id_prefix);
  std::string echo;
  if (draft.mode != EntryMode::transparent)
    echo = "x-lunar-sequence-id: " + draft.sequence_id(session.worker.shared().request_id_prefix) + "\r\n";
  http::GatewayError error;
  error.status = draft.status;
  error.code = row.code;
  error.text = text;
  error.request_id = id;
  error.extra = echo;
  error.close = what.close;
  error.head_only = what.head_only;
  uring::BufferRef out =
      session.worker.loop().buffers().sized(static_cast<uint32_t>(text.size() + id.size() + echo.size()) + 1024);
  out->end = static_cast<uint32_t>(http::write_gateway_error(error, {out->memory, out->capacity}));
  session.client->send(std::move(out));
}

}  // namespace lunar::gateway
