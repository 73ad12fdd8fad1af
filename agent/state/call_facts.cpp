#include "agent/state/call_facts.h"

#include <charconv>

namespace lunar {
namespace {

double milliseconds(uint64_t from_ns, uint64_t to_ns) {
  return to_ns > from_ns ? static_cast<double>(to_ns - from_ns) / 1e6 : 0;
}

// Takes the port off, and brackets.
std::string_view split_host(std::string_view host, uint16_t& port) {
  std::string_view name = host;
  std::string_view rest;
  if (const size_t bracket = host.find(']'); host.starts_with('[') && bracket != std::string_view::npos) {
    name = host.substr(1, bracket - 1);
    rest = host.substr(bracket + 1);
  } else if (const size_t colon = host.find(':'); colon != std::string_view::npos) {
    name = host.substr(0, colon);
    rest = host.substr(colon);
  }
  if (rest.starts_with(':')) std::from_chars(rest.data() + 1, rest.data() + rest.size(), port);
  return name;
}

}  // namespace

std::string CallView::full_url() const {
  if (!url.empty()) return std::string(url);
  const bool literal = host.find(':') != std::string_view::npos;
  std::string out = literal ? "[" + std::string(host) + "]" : std::string(host);
  if (port != 0 && port != 80 && port != 443) out += ":" + std::to_string(port);
  return out.append(path);
}

CallView CallFacts::view() const {
  return {.method = method,
          .url = url,
          .host = host,
          .path = path,
          .consumer_tag = consumer_tag,
          .comm = comm,
          .unit = unit,
          .container = container,
          .interceptor = interceptor,
          .port = port,
          .status = status,
          .total_ms = total_ms,
          .provider_ms = provider_ms,
          .bytes_in = bytes_in,
          .bytes_out = bytes_out,
          .started = started,
          .request_id = request_id,
          .attempt = attempt};
}

RecordFacts::RecordFacts(const TransactionRecord& record, const RecordNames& names) {
  const auto given_or = [&](TransactionText which, std::string_view otherwise) {
    const std::string_view given = record.get(which);
    return given.empty() ? otherwise : given;
  };
  view_.method = record.get(TransactionText::method);
  view_.path = record.get(TransactionText::path);
  view_.port = record.destination.port;
  view_.host = split_host(record.get(TransactionText::host), view_.port);
  if (view_.host.empty()) {
    address_ = record.destination.address.text();
    view_.host = address_;
  }
  view_.consumer_tag = given_or(TransactionText::consumer_tag, names.consumer_tag);
  view_.interceptor = given_or(TransactionText::interceptor, names.interceptor);
  view_.comm = names.comm;
  view_.unit = names.unit;
  view_.container = names.container;
  view_.status = record.status;
  view_.total_ms = milliseconds(record.started_ns, record.ended_ns);
  if (record.provider_started_ns != 0)
    view_.provider_ms = milliseconds(record.provider_started_ns, record.provider_ended_ns);
  view_.bytes_in = record.bytes_in;
  view_.bytes_out = record.bytes_out;
  view_.request_id = record.get(TransactionText::request_id);
  view_.flows = record.get(TransactionText::flows);
  view_.attempt = record.attempt;
  view_.tls = record.tls;
  const std::chrono::nanoseconds since_epoch(static_cast<int64_t>(record.started_ns) + names.wall_offset_ns);
  view_.started = WallTime(std::chrono::floor<std::chrono::milliseconds>(since_epoch));
}

}  // namespace lunar
