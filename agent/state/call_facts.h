// What is known of one finished attempt, for metrics, discovery and HAR: as views, made of a worker's record, or owned,
// on its way from a worker to the admin thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "agent/base/transaction.h"
#include "flowengine/instant.h"

namespace lunar {

struct CallView {
  std::string_view method;
  std::string_view url;   // host[:port]/path; empty: made of them
  std::string_view host;  // without port, an IPv6 literal without brackets
  std::string_view path;  // without query
  std::string_view consumer_tag, comm, unit, container;
  std::string_view interceptor;  // type/version
  uint16_t port = 0;
  uint16_t status = 0;  // 0: no response
  double total_ms = 0;
  std::optional<double> provider_ms;  // nothing: the provider was not called
  uint64_t bytes_in = 0, bytes_out = 0;
  WallTime started{};
  std::string_view request_id = {};  // empty: the client gave none
  std::string_view flows = {};       // names, each followed by a line feed
  uint32_t attempt = 0;              // from 0
  bool tls = false;                  // the url's scheme is https

  [[nodiscard]] std::string full_url() const;
};

// Milliseconds of the parts of an attempt as HAR names them; nothing: it had no such part. `connect` includes `ssl`.
struct HarTimings {
  std::optional<double> blocked, connect, ssl, send, wait, receive;
};

struct CallFacts {
  std::string method, url, host, path;
  std::string consumer_tag, comm, unit, container;
  std::string interceptor;  // type/version
  std::string request_id;
  std::string server_address;  // without port; empty: the provider was not called
  uint16_t port = 0;
  uint16_t status = 0;
  uint32_t attempt = 0;  // from 0
  double total_ms = 0;
  std::optional<double> provider_ms;
  uint64_t bytes_in = 0, bytes_out = 0;
  HarTimings timings;
  WallTime started{};

  [[nodiscard]] CallView view() const;
};

// What a record alone does not say.
struct RecordNames {
  std::string_view consumer_tag;  // of a request that named none
  std::string_view comm, unit, container;
  std::string_view interceptor;  // of a request that named none
  int64_t wall_offset_ns = 0;    // CLOCK_REALTIME minus CLOCK_MONOTONIC
};

// The view of a record; record and names outlive it.
class RecordFacts {
 public:
  RecordFacts(const TransactionRecord& record, const RecordNames& names);
  RecordFacts(const RecordFacts&) = delete;
  RecordFacts& operator=(const RecordFacts&) = delete;
  [[nodiscard]] const CallView& view() const { return view_; }

 private:
  std::string address_;
  CallView view_;
};

}  // namespace lunar
