#include "agent/state/access_log_line.h"

#include <time.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "agent/base/json_text.h"

namespace lunar {
namespace {

void append_number(std::string& out, uint64_t value) {
  std::array<char, 20> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  out.append(text.data(), end);
}

void append_padded(std::string& out, int value, int width) {
  std::array<char, 4> text;
  for (int i = width; i-- > 0; value /= 10) text[static_cast<size_t>(i)] = static_cast<char>('0' + value % 10);
  out.append(text.data(), static_cast<size_t>(width));
}

// Milliseconds with microseconds behind the point.
void append_milliseconds(std::string& out, uint64_t from_ns, uint64_t to_ns) {
  const uint64_t us = from_ns == 0 || to_ns <= from_ns ? 0 : (to_ns - from_ns) / 1000;
  append_number(out, us / 1000);
  if (us % 1000 == 0) return;
  out += '.';
  append_padded(out, static_cast<int>(us % 1000), 3);
}

std::string_view without_port(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

void append_url(std::string& out, const TransactionRecord& record) {
  const std::string_view host = record.get(TransactionText::host);
  out += '"';
  if (record.opaque == OpaqueReason::none) out += record.tls ? "https://" : "http://";
  if (host.empty()) {
    append_json_escaped(out, record.destination.text());
  } else {
    append_json_escaped(out, host);
    if (record.opaque != OpaqueReason::none && host.size() == without_port(host).size()) {
      out += ':';
      append_number(out, record.destination.port);
    }
  }
  append_json_escaped(out, record.get(TransactionText::path));
  out += '"';
}

void append_text_or_null(std::string& out, std::string_view text) {
  if (text.empty()) {
    out += "null";
  } else {
    append_json_string(out, text);
  }
}

// Names, each followed by a line feed; the last one may have been cut.
void append_flows(std::string& out, std::string_view names) {
  bool first = true;
  while (!names.empty()) {
    std::string_view name = names.substr(0, names.find('\n'));
    names.remove_prefix(std::min(name.size() + 1, names.size()));
    if (!std::exchange(first, false)) out += ',';
    append_json_string(out, name);
  }
}

void append_ids(std::string& out, const TransactionRecord& record, const AccessLogContext& context) {
  std::string id;
  append_request_id(id, record, context.request_id_prefix);
  const std::string_view sequence = record.get(TransactionText::sequence_id);
  out += ",\"request_id\":";
  append_json_string(out, id);
  out += ",\"sequence_id\":";
  append_json_string(out, sequence.empty() ? id : sequence);
  out += ",\"attempt\":";
  append_number(out, record.attempt);
}

void append_message(std::string& out, const TransactionRecord& record) {
  out += ",\"method\":";
  append_json_string(out, record.opaque != OpaqueReason::none ? "TUNNEL" : record.get(TransactionText::method));
  out += ",\"url\":";
  append_url(out, record);
  out += ",\"host\":";
  append_json_string(out, host_of(record));
  out += ",\"path\":";
  append_json_string(out, record.get(TransactionText::path));
  out += ",\"status_code\":";
  append_number(out, record.status);
  out += ",\"x_lunar_error\":";
  if (record.x_lunar_error == 0) {
    out += "null";
  } else {
    append_number(out, record.x_lunar_error);
  }
  out += ",\"error_in_body\":false,\"duration\":";
  append_milliseconds(out, record.provider_started_ns, record.provider_ended_ns);
  out += ",\"total_duration\":";
  append_milliseconds(out, record.started_ns, record.ended_ns);
}

}  // namespace

void append_timestamp(std::string& out, int64_t wall_ns) {
  const time_t seconds = wall_ns / 1'000'000'000;
  tm utc{};
  gmtime_r(&seconds, &utc);
  append_padded(out, utc.tm_year + 1900, 4);
  out += '-';
  append_padded(out, utc.tm_mon + 1, 2);
  out += '-';
  append_padded(out, utc.tm_mday, 2);
  out += 'T';
  append_padded(out, utc.tm_hour, 2);
  out += ':';
  append_padded(out, utc.tm_min, 2);
  out += ':';
  append_padded(out, utc.tm_sec, 2);
  out += '.';
  append_padded(out, static_cast<int>(wall_ns % 1'000'000'000 / 1'000'000), 3);
  out += 'Z';
}

std::string host_of(const TransactionRecord& record) {
  const std::string_view host = record.get(TransactionText::host);
  return host.empty() ? record.destination.address.text() : std::string(without_port(host));
}

void append_request_id(std::string& out, const TransactionRecord& record, std::string_view prefix) {
  const std::string_view given = record.get(TransactionText::request_id);
  if (!given.empty()) {
    out += given;
    return;
  }
  std::array<char, 16> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), record.request_number, 16).ptr;
  out += prefix;
  out.append(text.data(), end);
}

void append_access_log_line(std::string& out, const TransactionRecord& record, const AccessLogContext& context) {
  out += "{\"timestamp\":\"";
  append_timestamp(out, static_cast<int64_t>(record.started_ns) + context.wall_offset_ns);
  out += '"';
  append_ids(out, record, context);
  append_message(out, record);
  out += ",\"internal\":";
  out += record.internal ? "true" : "false";
  out += ",\"termination_state\":\"";
  out += name_of(record.termination);
  out += "\",\"mode\":\"";
  out += name_of(record.mode);
  out += "\",\"interceptor\":";
  const std::string_view interceptor = record.get(TransactionText::interceptor);
  append_json_string(out, interceptor.empty() ? context.interceptor : interceptor);
  out += ",\"consumer_tag\":";
  const std::string_view tag = record.get(TransactionText::consumer_tag);
  append_text_or_null(out, tag.empty() ? context.consumer_tag : tag);
  out += ",\"process\":";
  out += context.process_json.empty() ? std::string_view("{}") : context.process_json;
  out += ",\"flows\":[";
  append_flows(out, record.get(TransactionText::flows));
  out += "],\"bytes_in\":";
  append_number(out, record.bytes_in);
  out += ",\"bytes_out\":";
  append_number(out, record.bytes_out);
  out += ",\"lost\":";
  append_number(out, context.lost);
  out += ",\"request_active_remedies\":{},\"response_active_remedies\":{}}";
}

}  // namespace lunar
