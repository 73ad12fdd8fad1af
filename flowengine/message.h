// A request and the response to it as flows see and change them. Texts are views: into the caller's bytes at first
// (cheap, for finding out whether any flow is concerned), into memory of the message after own().
#pragma once

#include <cstdint>
#include <forward_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "flowengine/instant.h"
#include "flowengine/uri.h"

namespace lunar {

[[nodiscard]] bool equal_ignoring_case(std::string_view left, std::string_view right);
[[nodiscard]] std::string lower_case(std::string_view text);  // ASCII
[[nodiscard]] std::string upper_case(std::string_view text);

struct HeaderField {
  std::string_view name;
  std::string_view value;  // without the whitespace around it
  bool internal = false;   // for later steps alone: it is never sent on
};

// What both kinds of message have.
struct Message {
  std::vector<HeaderField> fields;            // in the order of the wire
  std::optional<std::string_view> body;       // decoded, complete; missing: it streams by, or its coding is unknown
  std::optional<std::string_view> wire_body;  // the same with its content coding, as it came
  bool text_too_long = false;                 // there is a wire_body, but its text would be above the limit of views
  std::optional<uint64_t> size;               // body bytes on the wire, where known
  WallTime time{};
  bool head_changed = false;  // by a processor: what goes out is written anew
  bool body_changed = false;  // the body goes out as it stands here, without content coding

  Message() = default;
  Message(const Message&) = delete;
  Message& operator=(const Message&) = delete;

  [[nodiscard]] const HeaderField* find(std::string_view name) const;  // the first one, ignoring case
  void set_field(std::string_view name, std::string_view value);       // in the place of the first, or at the end
  void set_internal_field(std::string_view name, std::string_view value);
  void add_field(std::string_view name, std::string_view value);
  void remove_field(std::string_view name);
  void set_body(std::string text);

  // Text that lives as long as the message.
  std::string_view keep(std::string text) { return texts_.emplace_front(std::move(text)); }

 protected:
  // The fields, and `others` beside them.
  void own_texts(std::span<std::string_view* const> others);
  void copy_from(const Message& original);

 private:
  std::string joined_;  // by own_texts()
  std::forward_list<std::string> texts_;
};

// Who made the call, where that is known; missing members are unknown.
struct Caller {
  std::optional<int64_t> pid;
  std::optional<int64_t> uid;
  std::string comm, exe, cgroup, unit, container;  // empty: unknown
};

struct Request : Message {
  std::string_view id, sequence_id;
  std::string_view method;  // upper case
  Scheme scheme = Scheme::http;
  std::string_view host;  // lower case, an IPv6 literal without brackets
  uint16_t port = 80;
  std::string_view path;   // as sent, begins with `/`
  std::string_view query;  // as sent, without `?`
  std::string_view consumer_tag;
  const Caller* caller = nullptr;  // null: on another machine, or unknown
  bool transparent = false;        // a missing consumer tag field reads as consumer_tag (flows.md §5.2)
  bool host_changed = false;

  void own();                             // every text becomes the message's own
  [[nodiscard]] std::string url() const;  // host[:port]/path; the port where it is not the scheme's
  // The value that grouping and priority by a header read: the field's first value, or the consumer tag for its name.
  [[nodiscard]] std::optional<std::string_view> group_value(std::string_view header) const;

 private:
  friend std::unique_ptr<Request> clone(const Request& original);
};

// What an answer of an LLM says it cost (flows.md §5.3).
struct TokenUsage {
  std::optional<int64_t> input, output, total;  // input and prompt are one thing, so are output and completion
};

struct Response : Message {
  int status = 0;
  bool from_provider = true;        // not an early response
  std::optional<TokenUsage> usage;  // from a complete body or the last record of an event stream

  void own() { own_texts({}); }

 private:
  friend std::unique_ptr<Response> clone(const Response& original);
};

// Copies that own all their texts.
[[nodiscard]] std::unique_ptr<Request> clone(const Request& original);
[[nodiscard]] std::unique_ptr<Response> clone(const Response& original);

// Path parameters of the pattern by which a flow was selected: name and value, in the order of the pattern.
using PathParams = std::vector<std::pair<std::string, std::string>>;

}  // namespace lunar
