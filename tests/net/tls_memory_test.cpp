#include <doctest/doctest.h>
#include <malloc.h>
#include <openssl/crypto.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "agent/net/tls_engine.h"
#include "tests/net/tls_ends.h"

using namespace lunar;
using namespace lunar::test;

namespace {

// What OpenSSL holds, as the allocator counts it. Sanitizers answer mallinfo2() with nothing, so it is counted here.
std::atomic<size_t> held{0};

void* allocate(size_t size, const char* /*file*/, int /*line*/) {
  void* out = malloc(size);
  held += malloc_usable_size(out);
  return out;
}

void release(void* memory, const char* /*file*/, int /*line*/) {
  held -= malloc_usable_size(memory);
  free(memory);
}

void* resize(void* memory, size_t size, const char* /*file*/, int /*line*/) {
  held -= malloc_usable_size(memory);
  void* out = realloc(memory, size);
  held += malloc_usable_size(out);
  return out;
}

// Possible only before OpenSSL allocates anything.
const bool counting = CRYPTO_set_mem_functions(allocate, resize, release) == 1;

struct Idle {
  size_t client = 0;
  size_t server = 0;
};

// Each, with the engine itself, after a full handshake and some data in both directions.
Idle held_when_idle(TlsVersions versions) {
  constexpr size_t count = 50;
  TlsClientContext::Settings settings;
  settings.roots = world().roots;
  settings.versions = versions;
  settings.sessions.keys = 0;  // otherwise the next one would be a resumed one
  auto clients = TlsClientContext::create(settings);
  REQUIRE(clients);
  TlsServerContext servers = world().server_context(versions);
  {
    EnginePair first(versions);
  }  // what is allocated once
  size_t before = held;
  std::vector<EngineEnd> client_ends;
  std::vector<EngineEnd> server_ends;
  for (size_t i = 0; i < count; ++i) {
    EngineEnd client(connect(*clients), 1024);
    EngineEnd server(accept(servers), 1024);
    couple(client, server);
    REQUIRE(client->write("question") == 8);
    couple(client, server);
    REQUIRE(server->write("answer") == 6);
    couple(client, server);
    REQUIRE(client.received == "answer");
    client_ends.push_back(std::move(client));
    server_ends.push_back(std::move(server));
  }
  size_t both = held;
  server_ends.clear();
  return {(held - before) / count + sizeof(TlsEngine), (both - held) / count + sizeof(TlsEngine)};
}

}  // namespace

TEST_CASE("TLS engine: a pair of idle connections holds less than 40 KiB") {
  REQUIRE(counting);
  for (TlsVersions versions : {only_1_2, only_1_3}) {
    Idle idle = held_when_idle(versions);
    std::printf(
        "FIGURE memory of idle TLS engines, TLS 1.%d: server %zu, client with the certificate shown %zu bytes\n",
        versions.highest == TlsVersion::v1_3 ? 3 : 2, idle.server, idle.client);
    CHECK(idle.server > sizeof(TlsEngine) + 1024);
    CHECK(idle.client > sizeof(TlsEngine) + 1024);
    CHECK(idle.server + idle.client <= 40 * 1024);
  }
}
