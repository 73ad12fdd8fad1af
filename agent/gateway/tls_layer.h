// TLS on a stream: its owner reads and sends plaintext.
#pragma once

#include <memory>
#include <string>

#include "agent/net/tls_engine.h"
#include "agent/uring/stream.h"

namespace lunar::gateway {

// The stream fails with EPROTO when TLS does, and with EKEYREJECTED when the server is not who it should be; the engine
// says why. Its connecting() lasts until the handshake is complete, and what is sent before waits for that.
class TlsLayer final : public uring::StreamLayer {
 public:
  explicit TlsLayer(std::unique_ptr<TlsEngine> engine) : engine_(std::move(engine)) {}

  [[nodiscard]] const TlsEngine& engine() const { return *engine_; }
  void peer_gone() { engine_->end_of_input(); }  // the stream has failed: what that means for the handshake

  void begin(uring::Stream& stream) override;
  void received(uring::Stream& stream, uring::BufferRef piece) override;
  void ended(uring::Stream& stream) override;
  void send(uring::Stream& stream, uring::BufferRef piece) override;
  void finish(uring::Stream& stream) override;
  [[nodiscard]] bool opening() const override { return !engine_->established(); }
  [[nodiscard]] uint32_t waiting_bytes() const override { return static_cast<uint32_t>(waiting_.size()); }

 private:
  void write_waiting(uring::Stream& stream);
  [[nodiscard]] size_t write(uring::Stream& stream, std::string_view plaintext);
  void pass_output(uring::Stream& stream);
  void settle(uring::Stream& stream);

  std::unique_ptr<TlsEngine> engine_;
  std::string waiting_;  // plaintext that the engine does not take yet
  bool finishing_ = false;
};

}  // namespace lunar::gateway
