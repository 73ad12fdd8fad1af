#include "agent/net/tls_engine.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>

#include "agent/net/tls_context.h"
#include "tests/fuzz/invariant.h"
#include "tests/net/certificates.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

// OpenSSL's generator for tests repeats what it is given, so that an input does the same every time. The clock in
// tickets and certificates is left.
class RepeatedRandom {
 public:
  RepeatedRandom() {
    require(RAND_set_DRBG_type(nullptr, "TEST-RAND", nullptr, nullptr, nullptr) == 1, "there is a generator for tests");
    uint32_t state = 1;
    for (unsigned char& byte : bytes_) byte = static_cast<unsigned char>((state = state * 1664525 + 1013904223) >> 24);
    rewind();
  }
  void rewind() {
    unsigned strength = 256;
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_uint(OSSL_RAND_PARAM_STRENGTH, &strength),
        OSSL_PARAM_construct_octet_string(OSSL_RAND_PARAM_TEST_ENTROPY, bytes_.data(), bytes_.size()),
        OSSL_PARAM_construct_end()};
    for (EVP_RAND_CTX* generator : {RAND_get0_public(nullptr), RAND_get0_private(nullptr)})
      require(EVP_RAND_CTX_set_params(generator, params) == 1, "the generator takes its bytes");
  }

 private:
  std::array<unsigned char, 64 * 1024> bytes_;
};

struct World {
  RepeatedRandom random;
  test::Issued own = test::issue({.common_name = "x", .alternative_names = "DNS:api.example.com"}, nullptr);
  std::shared_ptr<const TlsCredentials> credentials = own.credentials();
  TlsServerContext servers = std::move(*TlsServerContext::create({}));
  TlsClientContext clients = [] {
    TlsClientContext::Settings settings;
    settings.verify = false;
    settings.sessions.keys = 0;
    return std::move(*TlsClientContext::create(settings));
  }();

  [[nodiscard]] std::unique_ptr<TlsEngine> client() const {
    return std::move(*clients.connect({"api.example.com", {"h2", "http/1.1"}, "", test::now()}));
  }
  [[nodiscard]] std::unique_ptr<TlsEngine> server() const {
    return std::move(*servers.accept({"api.example.com", credentials, "h2"}));
  }
};

World& world() {
  static World one;
  return one;
}

enum class Script : uint8_t {
  to_server,         // the input is the connection's first bytes
  to_client,         //
  after_hello,       // it follows a genuine ClientHello
  changed_hello,     // it is exclusive-or'ed into a genuine ClientHello
  changed_flight,    // into the server's answer
  changed_finished,  // into what completes the handshake, and application data
};

std::string taken_from(TlsEngine& engine) {
  std::string out(engine.output());
  engine.sent(out.size());
  return out;
}

std::string changed(std::string genuine, std::string_view by) {
  for (size_t i = 0; i < std::min(genuine.size(), by.size()); ++i) genuine[i] = static_cast<char>(genuine[i] ^ by[i]);
  return genuine;
}

struct End {
  std::string received;
  std::string output;
  TlsState state;
  bool established;
  TlsFailure failure;
};

void feed(TlsEngine& engine, std::string_view bytes, std::string& received) {
  Exact copy(bytes);
  std::string_view rest = copy.view();
  std::array<char, 1000> window;
  size_t count = window.size();
  while (count == window.size()) {
    count = engine.read(rest, window);
    require(count == 0 || engine.established(), "no plaintext before the handshake is complete");
    received.append(window.data(), count);
  }
  bool goes_on = engine.state() == TlsState::handshaking || engine.state() == TlsState::open;
  require(rest.empty() || !goes_on, "an engine that goes on takes everything");
  require(inside(rest, copy.view()), "what is left is the end of what was given");
  require(ERR_peek_error() == 0, "no error is left in the thread");
}

// Bytes of the peer, all at once or cut in two.
End play(Script script, std::string_view input, size_t cut) {
  world().random.rewind();
  auto client = world().client();
  auto server = world().server();
  bool at_client = script == Script::to_client || script == Script::changed_flight;
  TlsEngine& engine = at_client ? *client : *server;
  End out;
  std::string bytes(input);
  std::string hello = script == Script::to_client ? "" : taken_from(*client);
  if (script == Script::changed_hello) bytes = changed(hello, input);
  if (script >= Script::changed_flight || script == Script::after_hello) feed(*server, hello, out.received);
  if (script == Script::changed_flight) bytes = changed(taken_from(*server), input);
  if (script == Script::changed_finished) {
    feed(*client, taken_from(*server), out.received);
    require(client->write("application data") == 16, "a genuine handshake succeeds");
    bytes = changed(taken_from(*client), input);
  }
  taken_from(engine);
  cut = std::min(cut, bytes.size());
  feed(engine, std::string_view(bytes).substr(0, cut), out.received);
  feed(engine, std::string_view(bytes).substr(cut), out.received);
  require(engine.established() || engine.write("x") == 0, "nothing is written before the handshake is complete");
  out.state = engine.state();
  out.established = engine.established();
  out.failure = engine.failure();
  out.output = engine.output();
  require(out.output.size() <= 16 * 1024 + bytes.size(), "an answer is not much longer than the question");
  engine.end_of_input();
  require(engine.state() >= TlsState::untrusted, "an end is an end");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 2) return 0;
  auto script = static_cast<Script>(data[0] % 6);
  std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  End whole = play(script, input, 0);
  End cut = play(script, input, data[1]);
  require(whole.state == cut.state && whole.established == cut.established, "pieces make no difference to the state");
  require(whole.received == cut.received, "pieces make no difference to the plaintext");
  require(whole.output.size() == cut.output.size(), "pieces make no difference to the answer");
  require(whole.failure.reason == cut.failure.reason && whole.failure.alert_sent == cut.failure.alert_sent,
          "pieces make no difference to the failure");
  return 0;
}
