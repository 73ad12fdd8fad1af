#include "agent/gateway/tls_layer.h"

#include <algorithm>
#include <cerrno>

namespace lunar::gateway {

void TlsLayer::begin(uring::Stream& stream) { settle(stream); }

void TlsLayer::received(uring::Stream& stream, uring::BufferRef piece) {
  std::string_view raw = piece->view();
  for (;;) {
    uring::BufferRef plaintext = stream.buffers().sized(std::max<uint32_t>(static_cast<uint32_t>(raw.size()), 1));
    plaintext->end = static_cast<uint32_t>(engine_->read(raw, {plaintext->memory, plaintext->capacity}));
    pass_output(stream);
    const bool more = plaintext->end == plaintext->capacity;
    if (plaintext->size() > 0) stream.layer_deliver(std::move(plaintext));
    if (!more) break;
  }
  settle(stream);
}

void TlsLayer::ended(uring::Stream& stream) {
  engine_->end_of_input();
  settle(stream);
}

void TlsLayer::send(uring::Stream& stream, uring::BufferRef piece) {
  std::string_view plaintext = piece->view();
  if (waiting_.empty()) plaintext.remove_prefix(write(stream, plaintext));
  waiting_.append(plaintext);
}

void TlsLayer::finish(uring::Stream& stream) {
  finishing_ = true;
  settle(stream);
}

size_t TlsLayer::write(uring::Stream& stream, std::string_view plaintext) {
  size_t written = 0;
  while (written < plaintext.size()) {
    const size_t taken = engine_->write(plaintext.substr(written));
    pass_output(stream);
    if (taken == 0) break;
    written += taken;
  }
  return written;
}

void TlsLayer::write_waiting(uring::Stream& stream) {
  if (waiting_.empty() || !engine_->established()) return;
  waiting_.erase(0, write(stream, waiting_));
  if (waiting_.empty()) waiting_.shrink_to_fit();
}

void TlsLayer::pass_output(uring::Stream& stream) {
  const std::string_view output = engine_->output();
  if (output.empty()) return;
  uring::BufferRef piece = stream.buffers().sized(static_cast<uint32_t>(output.size()));
  piece->end = static_cast<uint32_t>(output.copy(piece->memory, piece->capacity));
  engine_->sent(output.size());
  stream.layer_transmit(std::move(piece));
}

void TlsLayer::settle(uring::Stream& stream) {
  write_waiting(stream);
  if (finishing_ && waiting_.empty() && !opening() && !stream.leaves_end_in_doubt()) engine_->close();
  pass_output(stream);
  if (finishing_ && waiting_.empty() && !stream.finished_sending()) stream.layer_transmit_end();
  switch (engine_->state()) {
    case TlsState::peer_closed:
      return stream.layer_deliver_end(false);
    case TlsState::truncated:
      // An end in the middle of the handshake is a failure; the last plaintext may still be on its way to the owner.
      return opening() ? stream.layer_fail(ECONNRESET) : stream.layer_deliver_end(true);
    case TlsState::failed:
      return stream.layer_fail(EPROTO);
    case TlsState::untrusted:
      return stream.layer_fail(EKEYREJECTED);
    default:
      return;
  }
}

}  // namespace lunar::gateway
