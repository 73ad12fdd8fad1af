// Whether the first bytes of a client can become an HTTP/1 request.
#pragma once

#include <cstdint>
#include <string_view>

namespace lunar::http {

enum class Sniff : uint8_t { yes, no, need_more };

// Decides with as few bytes as possible. `yes` is a promise to try, not that the head is well-formed. The HTTP/2
// preface, a TLS record and any other protocol are `no`.
[[nodiscard]] Sniff looks_like_http(std::string_view first_bytes);

}  // namespace lunar::http
