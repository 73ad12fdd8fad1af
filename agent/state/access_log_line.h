// The line of one transaction in the access log (and of `lunarctl tail`). Pure: time and names are parameters.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/transaction.h"

namespace lunar {

struct AccessLogContext {
  int64_t wall_offset_ns = 0;          // CLOCK_REALTIME minus CLOCK_MONOTONIC
  std::string_view request_id_prefix;  // with the record's number: the id of a request that brought none
  std::string_view interceptor;        // of a request that named none
  std::string_view consumer_tag;       // the caller's unit or container: default of the tag; empty: none
  std::string_view process_json;       // an object; empty: unknown
  uint64_t lost = 0;                   // lines lost before this one
};

// Appends the object, without a newline.
void append_access_log_line(std::string& out, const TransactionRecord& record, const AccessLogContext& context);

// RFC 3339 in UTC with milliseconds.
void append_timestamp(std::string& out, int64_t wall_ns);

// The host of a record as people know it: without port; the destination's address where no name was given.
[[nodiscard]] std::string host_of(const TransactionRecord& record);

// The id that the client gave, else the generated one.
void append_request_id(std::string& out, const TransactionRecord& record, std::string_view prefix);

}  // namespace lunar
