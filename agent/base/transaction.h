// What a worker reports about one finished attempt or one closed opaque connection. A worker fills it in place
// (spsc_ring.h) in well under 100 ns; the admin thread makes of it the access log, metrics, `tail` and `top`.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

#include "agent/base/endpoint.h"
#include "agent/base/spsc_ring.h"

namespace lunar {

enum class Termination : uint8_t { ok, client_abort, provider_abort, timeout, refused, early, shutdown };
enum class EntryMode : uint8_t { transparent, header, forward, query };

// Why a connection is relayed byte for byte; `none` for an HTTP attempt.
enum class OpaqueReason : uint8_t { none, connect, tls, provider_first, not_http, upgraded, malformed };
inline constexpr size_t kOpaqueReasons = 7;

[[nodiscard]] constexpr std::string_view name_of(Termination state) {
  constexpr std::array<std::string_view, 7> names{"ok",      "client_abort", "provider_abort", "timeout",
                                                  "refused", "early",        "shutdown"};
  return names[static_cast<size_t>(state)];
}
[[nodiscard]] constexpr std::string_view name_of(EntryMode mode) {
  constexpr std::array<std::string_view, 4> names{"transparent", "header", "forward", "query"};
  return names[static_cast<size_t>(mode)];
}
[[nodiscard]] constexpr std::string_view name_of(OpaqueReason reason) {
  constexpr std::array<std::string_view, kOpaqueReasons> names{"none",     "connect",  "tls",      "provider_first",
                                                               "not_http", "upgraded", "malformed"};
  return names[static_cast<size_t>(reason)];
}

// Texts of a record, kept in one small buffer. Set `path` last: what does not fit is cut, and the path is longest.
// `flows` are names, each followed by a line feed.
enum class TransactionText : uint8_t { method, host, request_id, sequence_id, consumer_tag, interceptor, flows, path };

struct TransactionRecord {
  static constexpr size_t kTexts = 8;
  static constexpr size_t kTextBytes = 340;

  uint64_t request_number = 0;       // unique in this gateway process; makes the id where the client gave none
  uint64_t started_ns = 0;           // CLOCK_MONOTONIC; the first byte from the client
  uint64_t provider_started_ns = 0;  // 0: nothing was sent to a provider
  uint64_t provider_ended_ns = 0;    // the last byte from the provider; 0: none came
  uint64_t ended_ns = 0;
  uint64_t bytes_in = 0;  // body bytes from the client; of an opaque connection all bytes
  uint64_t bytes_out = 0;
  uint64_t cgroup_id = 0;
  uint64_t process_started_ns = 0;  // of the caller's process, as in redirect's Origin
  uint32_t pid = 0;                 // 0: unknown (explicit modes)
  uint32_t uid = 0;
  std::array<char, 16> comm{};
  Endpoint destination;  // where the gateway connected to, or would have
  uint16_t status = 0;   // 0: no response
  uint8_t x_lunar_error = 0;
  uint8_t attempt = 0;
  Termination termination = Termination::ok;
  EntryMode mode = EntryMode::transparent;
  OpaqueReason opaque = OpaqueReason::none;
  bool tls = false;       // the scheme of the url is https
  bool internal = false;  // a replay
  bool truncated = false;

  // Host may carry a port. The query string of a path never gets into the record: it may hold secrets.
  void set(TransactionText which, std::string_view text) {
    if (which == TransactionText::path) text = text.substr(0, text.find_first_of("?#"));
    const size_t room = kTextBytes - text_used;
    if (text.size() > room) truncated = true;
    const size_t length = std::min(text.size(), room);
    begins[static_cast<size_t>(which)] = text_used;
    lengths[static_cast<size_t>(which)] = static_cast<uint16_t>(length);
    std::memcpy(bytes.data() + text_used, text.data(), length);
    text_used = static_cast<uint16_t>(text_used + length);
  }
  [[nodiscard]] std::string_view get(TransactionText which) const {
    return {bytes.data() + begins[static_cast<size_t>(which)], lengths[static_cast<size_t>(which)]};
  }

  std::array<uint16_t, kTexts> begins{};
  std::array<uint16_t, kTexts> lengths{};
  uint16_t text_used = 0;
  std::array<char, kTextBytes> bytes;  // only what `set` wrote is defined
};

static_assert(std::is_trivially_copyable_v<TransactionRecord>);
static_assert(sizeof(TransactionRecord) <= 512, "eight cache lines; the used ones are the first four or five");

using TransactionRing = SpscRing<TransactionRecord>;

}  // namespace lunar
