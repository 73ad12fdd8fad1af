#include "agent/http/body.h"

#include <algorithm>

#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

struct Outcome {
  size_t consumed = 0;
  bool done = false;
  bool malformed = false;
  uint64_t data_bytes = 0;
  bool operator==(const Outcome&) const = default;
};

Outcome feed(http::BodyFraming framing, std::string_view text, size_t piece) {
  http::BodyScanner scanner(framing);
  Outcome out{0, scanner.done(), false, 0};
  while (!out.done && !out.malformed && out.consumed < text.size()) {
    Exact bytes(text.substr(out.consumed, piece));
    auto step = scanner.scan(bytes.view());
    require(step.consumed <= bytes.view().size(), "no more is consumed than was given");
    require(step.consumed == bytes.view().size() || step.done || step.malformed,
            "all is consumed, or the end is known");
    out.consumed += step.consumed;
    out.done = step.done;
    out.malformed = step.malformed;
  }
  require(!(out.done && out.malformed), "a body cannot be both complete and broken");
  require((scanner.fault() != nullptr) == out.malformed, "a broken body has a reason");
  out.data_bytes = scanner.data_bytes();
  require(out.data_bytes <= out.consumed, "payload is part of what was consumed");
  return out;
}

// The same, with payload that goes by unseen wherever the scanner allows it.
Outcome skip_through(http::BodyFraming framing, std::string_view text) {
  http::BodyScanner scanner(framing);
  Outcome out{0, scanner.done(), false, 0};
  while (!out.done && !out.malformed && out.consumed < text.size()) {
    uint64_t unseen = std::min<uint64_t>(scanner.unseen_limit(), text.size() - out.consumed);
    scanner.skip(unseen);
    out.consumed += unseen;
    out.done = scanner.done();
    if (out.done || out.consumed == text.size()) break;
    auto step = scanner.scan(text.substr(out.consumed, 1));
    out.consumed += step.consumed;
    out.done = step.done;
    out.malformed = step.malformed;
  }
  out.data_bytes = scanner.data_bytes();
  return out;
}

}  // namespace

// The first byte is the framing, and for a length its value.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  using Kind = http::BodyFraming::Kind;
  constexpr Kind kinds[] = {Kind::chunked, Kind::chunked, Kind::content_length, Kind::until_close};
  http::BodyFraming framing{kinds[data[0] & 3], 0};
  if (framing.kind == Kind::content_length) framing.length = data[0] >> 2;
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Outcome whole = feed(framing, text, text.size());
  for (size_t piece : {1, 2, 3, 7, 64}) require(feed(framing, text, piece) == whole, "pieces make no difference");
  require(skip_through(framing, text) == whole, "unseen payload makes no difference");
  if (whole.done)
    require(feed(framing, text.substr(0, whole.consumed), size) == whole, "what follows makes no difference");
  return 0;
}
