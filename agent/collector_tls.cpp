#include "agent/collector_tls.h"

#include <chrono>
#include <utility>

namespace lunar {
namespace {

class CollectorChannel final : public SecureChannel {
 public:
  explicit CollectorChannel(std::unique_ptr<TlsEngine> engine) : engine_(std::move(engine)) {}

  [[nodiscard]] size_t read(std::string_view& from_peer, std::span<char> plaintext) override {
    return engine_->read(from_peer, plaintext);
  }
  [[nodiscard]] size_t write(std::string_view plaintext) override { return engine_->write(plaintext); }
  [[nodiscard]] std::string_view output() const override { return engine_->output(); }
  void sent(size_t bytes) override { engine_->sent(bytes); }
  void close() override { engine_->close(); }
  void end_of_input() override { engine_->end_of_input(); }

  [[nodiscard]] bool open() const override {
    return engine_->state() == TlsState::handshaking || engine_->state() == TlsState::open;
  }

  [[nodiscard]] std::string fault() const override {
    if (engine_->state() == TlsState::untrusted)
      return "its certificate is not accepted: " + engine_->facts().verify_error +
             "; an authority of your own is named as `ca` in provider_tls of gateway_config.yaml";
    if (engine_->established() && engine_->state() != TlsState::failed) return "";
    const bool asked = engine_->facts().client_certificate_missing;
    return "TLS failed: " + engine_->failure().reason +
           (asked ? "; it asks for a client certificate, which is named in mTLS of gateway_config.yaml" : "");
  }

 private:
  std::unique_ptr<TlsEngine> engine_;
};

}  // namespace

Result<std::unique_ptr<SecureChannel>> open_collector_channel(const TlsClientContext& context, const std::string& host,
                                                              uint16_t port) {
  const auto now = std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  auto engine = context.connect({.host = host, .alpn = {"http/1.1"}, .session_key = std::to_string(port), .now = now});
  if (!engine) return std::unexpected(std::move(engine.error()));
  return std::make_unique<CollectorChannel>(*std::move(engine));
}

}  // namespace lunar
