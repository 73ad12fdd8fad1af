#include "tests/fuzz/head_invariants.h"

using namespace lunar;
using namespace lunar::fuzz;

// The first byte is the request that the response belongs to.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  http::RequestContext context{.head = (data[0] & 1) != 0, .connect = (data[0] & 2) != 0};
  std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  http::ResponseHead head;
  http::ParseState state = parse_response_head(text, context, head);
  check_prefixes(text, [&](std::string_view bytes) {
    http::ResponseHead prefix;
    return parse_response_head(bytes, context, prefix);
  });
  if (state != http::ParseState::complete) return 0;
  check_accepted_head(text, head);
  require(head.status >= 100 && head.status <= 999, "a status has three digits");
  require(!context.head || head.framing == http::BodyFraming{}, "a response to HEAD has no body");
  bool ends_with_connection = head.framing.kind == http::BodyFraming::Kind::until_close;
  require(!(ends_with_connection && head.keep_alive), "a body that ends by closing ends the connection");
  std::string rewritten(head.size + 64, '\0');
  size_t written = rewrite_response(text.substr(0, head.size), head, "close", rewritten);
  require(written != 0, "a rewritten head fits into its limit");
  if (written > http::max_head_size) return 0;
  http::ResponseHead again;
  require(parse_response_head({rewritten.data(), written}, context, again) == http::ParseState::complete,
          "a rewritten head is a head");
  require(again.status == head.status && again.framing == head.framing && !again.keep_alive,
          "a rewritten head says the same");
  return 0;
}
