#include "flowengine/message.h"

#include <algorithm>
#include <array>

namespace lunar {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

}  // namespace

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  return std::ranges::equal(left, right, {}, lower, lower);
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

std::string upper_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return out;
}

const HeaderField* Message::find(std::string_view name) const {
  auto found =
      std::ranges::find_if(fields, [name](const HeaderField& field) { return equal_ignoring_case(field.name, name); });
  return found == fields.end() ? nullptr : &*found;
}

void Message::add_field(std::string_view name, std::string_view value) {
  fields.push_back({keep(std::string(name)), keep(std::string(value))});
  head_changed = true;
}

void Message::set_field(std::string_view name, std::string_view value) {
  auto same = [name](const HeaderField& field) { return equal_ignoring_case(field.name, name); };
  auto first = std::ranges::find_if(fields, same);
  if (first == fields.end()) return add_field(name, value);
  first->value = keep(std::string(value));
  auto further = std::remove_if(first + 1, fields.end(), same);
  fields.erase(further, fields.end());
  head_changed = true;
}

void Message::set_internal_field(std::string_view name, std::string_view value) {
  set_field(name, value);
  auto same = [name](const HeaderField& field) { return equal_ignoring_case(field.name, name); };
  std::ranges::find_if(fields, same)->internal = true;
}

void Message::remove_field(std::string_view name) {
  auto removed =
      std::erase_if(fields, [name](const HeaderField& field) { return equal_ignoring_case(field.name, name); });
  head_changed = head_changed || removed > 0;
}

void Message::set_body(std::string text) {
  body = keep(std::move(text));
  body_changed = true;
}

void Message::own_texts(std::span<std::string_view* const> others) {
  size_t bytes = 0;
  for (const HeaderField& field : fields) bytes += field.name.size() + field.value.size();
  for (const std::string_view* text : others) bytes += text->size();
  std::string joined;
  joined.reserve(std::max<size_t>(bytes, 16));  // never inside the object, which moves
  for (const HeaderField& field : fields) joined.append(field.name).append(field.value);
  for (const std::string_view* text : others) joined.append(*text);
  // Of a message that was changed since, texts may lie in what it owned before.
  if (!joined_.empty()) keep(std::move(joined_));
  joined_ = std::move(joined);
  std::string_view rest = joined_;
  auto point_into = [&rest](std::string_view& text) {
    const size_t size = text.size();
    text = rest.substr(0, size);
    rest.remove_prefix(size);
  };
  for (HeaderField& field : fields) {
    point_into(field.name);
    point_into(field.value);
  }
  for (std::string_view* text : others) point_into(*text);
}

void Message::copy_from(const Message& original) {
  fields = original.fields;
  size = original.size;
  time = original.time;
  text_too_long = original.text_too_long;
  head_changed = original.head_changed;
  body_changed = original.body_changed;
  if (original.body) body = keep(std::string(*original.body));
  if (original.wire_body) wire_body = keep(std::string(*original.wire_body));
}

std::unique_ptr<Request> clone(const Request& original) {
  auto out = std::make_unique<Request>();
  out->copy_from(original);
  out->id = original.id;
  out->sequence_id = original.sequence_id;
  out->method = original.method;
  out->scheme = original.scheme;
  out->host = original.host;
  out->port = original.port;
  out->path = original.path;
  out->query = original.query;
  out->consumer_tag = original.consumer_tag;
  out->caller = original.caller;
  out->transparent = original.transparent;
  out->own();
  return out;
}

std::unique_ptr<Response> clone(const Response& original) {
  auto out = std::make_unique<Response>();
  out->copy_from(original);
  out->status = original.status;
  out->from_provider = original.from_provider;
  out->usage = original.usage;
  out->own();
  return out;
}

void Request::own() { own_texts(std::array{&id, &sequence_id, &method, &host, &path, &query, &consumer_tag}); }

std::string Request::url() const {
  std::string out = host.find(':') == std::string_view::npos ? std::string(host) : "[" + std::string(host) + "]";
  if (port != default_port(scheme)) out += ":" + std::to_string(port);
  return out.append(path);
}

std::optional<std::string_view> Request::group_value(std::string_view header) const {
  if (const HeaderField* field = find(header)) return field->value;
  bool is_tag = transparent && !consumer_tag.empty() && equal_ignoring_case(header, "x-lunar-consumer-tag");
  return is_tag ? std::optional(consumer_tag) : std::nullopt;
}

}  // namespace lunar
