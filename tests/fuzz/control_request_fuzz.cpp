#include "agent/admin/http_request.h"
#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

constexpr size_t body_limit = 4096;

struct Outcome {
  size_t consumed = 0;
  int refusal = 0;
  bool complete = false;
  std::string method, path, query, authorization, body;
  bool operator==(const Outcome&) const = default;
};

// The first request in the bytes.
Outcome feed(std::string_view text, size_t piece) {
  admin::RequestReader reader(body_limit);
  Outcome out;
  while (reader.state() == admin::RequestReader::State::incomplete && out.consumed < text.size()) {
    Exact bytes(text.substr(out.consumed, piece));
    size_t used = reader.feed(bytes.view());
    require(used <= bytes.view().size(), "no more is consumed than was given");
    require(used != 0 || reader.state() != admin::RequestReader::State::incomplete, "every step makes progress");
    out.consumed += used;
  }
  out.complete = reader.state() == admin::RequestReader::State::complete;
  out.refusal = reader.state() == admin::RequestReader::State::refused ? reader.refusal() : 0;
  if (out.refusal != 0) out.consumed = 0;  // the connection ends, so that it does not matter how far it was read
  if (!out.complete) return out;
  admin::HttpRequest request = reader.take();
  require(request.body.size() <= body_limit, "a body is within its limit");
  require(reader.state() == admin::RequestReader::State::incomplete, "a taken request leaves nothing behind");
  out.method = request.method;
  out.path = request.path;
  out.query = request.query;
  out.authorization = request.authorization;
  out.body = request.body;
  require(request.parameter("x").size() <= request.query.size(), "decoding never grows a parameter");
  return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Outcome whole = feed(text, size);
  for (size_t piece : {1, 2, 5, 100}) require(feed(text, piece) == whole, "pieces make no difference");
  return 0;
}
