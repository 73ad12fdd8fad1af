// One side of a TLS connection as a machine over memory: no socket, no thread, no timer. Whoever has the transport
// hands over the bytes that arrive and sends those of output().
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "agent/net/openssl_handles.h"
#include "agent/net/tls_transport.h"
#include "flowengine/result.h"

namespace lunar {

class TlsSessionCache;

enum class TlsVersion : uint16_t { v1_2 = 0x0303, v1_3 = 0x0304 };  // as on the wire

enum class TlsState : uint8_t {
  handshaking,  // nothing can be written yet
  open,         // plaintext passes in both directions
  untrusted,    // the handshake is complete, but the server is not who it should be: nothing is read or written
  peer_closed,  // close_notify arrived: what was read is everything that the peer wanted to say
  truncated,    // the transport ended without it: what was read may be a part
  failed,       // failure() says why; output() may hold an alert that the peer should get
};

// What the peer thinks of the certificate that it was shown.
enum class TlsRefusal : uint8_t {
  none,
  by_alert,    // it said so
  by_silence,  // it ended the connection when it had seen the certificate and before the handshake was complete
};

// How a connection ended that is failed, truncated or peer_closed. Alerts are those of RFC 8446 §6.
struct TlsFailure {
  std::string reason;                     // OpenSSL's text, or how the transport ended
  std::optional<uint8_t> alert_sent;      // fatal ones only
  std::optional<uint8_t> alert_received;  // the last one that was not mere closing
  TlsRefusal refusal = TlsRefusal::none;
};

// What both sides agreed on.
struct TlsFacts {
  TlsVersion version = TlsVersion::v1_2;
  std::string_view cipher;                  // in OpenSSL's spelling; lives as long as the process
  std::string alpn;                         // empty: none
  bool resumed = false;                     // what follows was found out when the session began
  bool verified = false;                    // the peer is a server whose certificate is valid for its name
  std::string verify_error;                 // "NAME: what is wrong"; empty where verified, and for a client as peer
  bool client_certificate_missing = false;  // the server asked for one and none was presented
};

// Made by a TlsServerContext or a TlsClientContext, which it may outlive. Used by one thread at a time.
class TlsEngine {
 public:
  TlsEngine(const TlsEngine&) = delete;
  TlsEngine& operator=(const TlsEngine&) = delete;
  ~TlsEngine();

  // Goes on with the handshake and fills `plaintext`; returns how many bytes of it. What was used of `from_peer` is
  // removed from its front; the rest is not kept, and is to be handed over again. Less than all of `plaintext` means
  // that nothing more can be had: then `from_peer` is empty, unless the state is neither handshaking nor open.
  // May add to output(). Whoever does not get rid of output() must not go on reading.
  [[nodiscard]] size_t read(std::string_view& from_peer, std::span<char> plaintext);

  // Encrypts bytes of the front of `plaintext`; returns how many. 0 before the handshake is complete, after close(), in
  // the states untrusted and failed, and in the middle of a handshake message of the peer, after which it is to be
  // called again. Fewer than all where `output_limit` is reached: again when output() was sent.
  [[nodiscard]] size_t write(std::string_view plaintext);

  // Tells the peer that nothing more will be written (close_notify). Reading may go on. Before the handshake is
  // complete there is nothing to say.
  void close();

  // The transport has ended in the direction from the peer, in whatever way, and all that arrived was read. Makes
  // `truncated` of handshaking and open; whoever is untrusted stays so.
  void end_of_input();

  // For the peer, in this order; valid until the next call. Memory is held only while there is some.
  [[nodiscard]] std::string_view output() const { return transport_.output(); }
  void sent(size_t bytes) { transport_.take(bytes); }

  [[nodiscard]] TlsState state() const { return state_; }
  [[nodiscard]] bool established() const { return established_; }  // the handshake was completed at some time
  [[nodiscard]] bool verified() const;                             // as in facts()
  // Once established; before, `client_certificate_missing` alone means something.
  [[nodiscard]] TlsFacts facts() const;
  [[nodiscard]] TlsFailure failure() const;
  // DER, the peer's own first, then what it sent along. Empty before it was shown, and for a client as peer.
  [[nodiscard]] std::vector<std::string> peer_certificates() const;

  static constexpr size_t output_limit = 64 * 1024;

 private:
  friend class TlsClientContext;
  friend class TlsServerContext;

  struct Setup {
    std::string alpn;                           // client: its offer as on the wire; server: what is selected
    bool must_verify = false;                   // otherwise the state is never `untrusted`
    std::shared_ptr<TlsSessionCache> sessions;  // where the server's sessions go; null: nowhere
    std::string session_key;
  };
  TlsEngine(OpensslHandle<ssl_st> connection, Setup setup);

  // The callbacks that an engine needs in the context of its connection.
  static void install(ssl_ctx_st& context);
  [[nodiscard]] static Result<std::unique_ptr<TlsEngine>> create(OpensslHandle<ssl_st> connection, Setup setup);

  static void on_progress(const ssl_st* connection, int where, int value);
  static int on_certificate_request(ssl_st* connection, void*);
  static int on_session(ssl_st* connection, ssl_session_st* session);

  void shake_hands();
  void complete();
  [[nodiscard]] bool offered(std::string_view protocol) const;
  int select_protocol(std::span<const unsigned char> offer, const unsigned char** out, unsigned char* size) const;
  void settle(int result);
  void fail_with(std::string reason);
  void note_alert(bool received, int alert);

  TlsTransport transport_;
  OpensslHandle<ssl_st> connection_;
  Setup setup_;
  std::string reason_;
  std::optional<uint8_t> alert_sent_;
  std::optional<uint8_t> alert_received_;
  TlsState state_ = TlsState::handshaking;
  bool established_ : 1 = false;
  bool closing_ : 1 = false;
  bool certificate_shown_ : 1 = false;
  bool certificate_requested_ : 1 = false;
};

}  // namespace lunar
