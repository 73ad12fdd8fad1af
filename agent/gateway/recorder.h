// What a session remembers of an attempt or an opaque connection until it is over, and how that becomes a record.
#pragma once

#include <string>
#include <string_view>

#include "agent/base/clock.h"
#include "agent/base/transaction.h"
#include "agent/http/head.h"

namespace lunar::gateway {

class Session;

// How a request is called that brings no name of its own.
[[nodiscard]] std::string request_id_of(std::string_view prefix, uint64_t number);

struct RecordDraft {
  MonotonicTime started{};
  MonotonicTime provider_started{};  // epoch: nothing was sent to a provider
  MonotonicTime provider_ended{};
  uint64_t number = 0;  // of the request, unique in this process
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  Endpoint destination;
  uint16_t status = 0;
  uint8_t x_lunar_error = 0;
  EntryMode mode = EntryMode::transparent;
  Termination termination = Termination::ok;
  bool tls = false;
  uint8_t attempt = 0;  // from 0; those after it are sent by a flow
  std::string flows;    // names of those that ran, each followed by a line feed

  // Copies what the log wants of a head whose bytes will be gone.
  void describe(const http::RequestHead& head, std::string_view host, std::string_view target);
  // The client's id, or `prefix` with the number: as it stands in the access log.
  [[nodiscard]] std::string request_id(std::string_view prefix) const;
  // The client's call sequence, or the request id.
  [[nodiscard]] std::string sequence_id(std::string_view prefix) const;

 private:
  friend void record_attempt(Session& session, const RecordDraft& draft);
  static constexpr size_t texts = 7;  // in the order of TransactionText
  std::string text_;
  std::array<uint16_t, texts> lengths_{};
};

void record_attempt(Session& session, const RecordDraft& draft);

struct OpaqueEnd {
  MonotonicTime started{};
  OpaqueReason reason{};
  std::string_view host;
  uint64_t bytes_in = 0;
  uint64_t bytes_out = 0;
  Termination termination{};
};
void record_opaque(Session& session, const OpaqueEnd& end);

}  // namespace lunar::gateway
