#include "agent/http/field.h"

#include <cstring>

namespace lunar::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; }

// `known` is in lower case and of the same length.
bool is(std::string_view name, std::string_view known) {
  for (size_t i = 0; i < known.size(); ++i)
    if (lower(name[i]) != known[i]) return false;
  return true;
}

FieldKind prefixed_kind(std::string_view name) {
  if (name.size() > 8 && is(name.substr(0, 8), "x-lunar-")) return FieldKind::lunar;
  if (name.size() > 6 && is(name.substr(0, 6), "proxy-")) return FieldKind::proxy_other;
  return FieldKind::other;
}

FieldKind exact(std::string_view name, std::string_view known, FieldKind kind) {
  return is(name, known) ? kind : FieldKind::other;
}

FieldKind first_of(FieldKind first, FieldKind second) { return first != FieldKind::other ? first : second; }

// By length, because nearly every field is dismissed by that alone.
FieldKind unprefixed_kind(std::string_view name) {
  switch (name.size()) {
    case 2:
      return exact(name, "te", FieldKind::te);
    case 4:
      return exact(name, "host", FieldKind::host);
    case 6:
      return exact(name, "expect", FieldKind::expect);
    case 7:
      return first_of(exact(name, "upgrade", FieldKind::upgrade), exact(name, "trailer", FieldKind::trailer));
    case 10:
      return first_of(exact(name, "connection", FieldKind::connection),
                      exact(name, "keep-alive", FieldKind::keep_alive));
    case 13:
      return exact(name, "authorization", FieldKind::authorization);
    case 14:
      return exact(name, "content-length", FieldKind::content_length);
    case 16:
      return first_of(exact(name, "proxy-connection", FieldKind::proxy_connection),
                      exact(name, "www-authenticate", FieldKind::www_authenticate));
    case 17:
      return exact(name, "transfer-encoding", FieldKind::transfer_encoding);
    case 18:
      return exact(name, "proxy-authenticate", FieldKind::proxy_authenticate);
    case 19:
      return exact(name, "proxy-authorization", FieldKind::proxy_authorization);
    default:
      return FieldKind::other;
  }
}

}  // namespace

bool equal_ignoring_case(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (size_t i = 0; i < left.size(); ++i)
    if (lower(left[i]) != lower(right[i])) return false;
  return true;
}

FieldKind field_kind(std::string_view name) {
  FieldKind kind = unprefixed_kind(name);
  if (kind != FieldKind::other || name.empty()) return kind;
  char first = lower(name.front());
  return first == 'x' || first == 'p' ? prefixed_kind(name) : FieldKind::other;
}

const Field* FieldList::find(FieldKind kind) const {
  for (const Field& field : *this)
    if (field.kind == kind) return &field;
  return nullptr;
}

const Field* FieldList::find(std::string_view name) const {
  for (const Field& field : *this)
    if (equal_ignoring_case(field.name, name)) return &field;
  return nullptr;
}

void FieldList::grow() {
  bool was_inline = data_ == inline_.data();
  if (overflow_.size() < capacity_ * 2) overflow_.resize(capacity_ * 2);
  if (was_inline) std::copy(inline_.begin(), inline_.end(), overflow_.begin());
  data_ = overflow_.data();
  capacity_ = overflow_.size();
}

}  // namespace lunar::http
