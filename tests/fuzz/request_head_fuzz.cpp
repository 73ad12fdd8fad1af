#include "agent/http/sniff.h"
#include "tests/fuzz/head_invariants.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

http::ParseState parse(std::string_view bytes) {
  http::RequestHead head;
  return parse_request_head(bytes, head);
}

// Without the gateway's own fields, and rewritten for a provider, it is still one request with the same body.
void check_rewriting(std::string_view bytes, const http::RequestHead& head) {
  std::string without(bytes.size(), '\0');
  auto is_lunar = [](const http::Field& field) { return field.kind == http::FieldKind::lunar; };
  without.resize(http::copy_without(bytes, head.fields, is_lunar, without));
  http::RequestHead again;
  require(parse_request_head(without, again) == http::ParseState::complete, "a head without x-lunar-* is a head");
  require(!again.has_lunar && again.framing == head.framing, "only x-lunar-* is gone");

  http::RequestRewrite rewrite{.target = "/t", .host = "h.example.com", .extra = ""};
  std::string rewritten(rewritten_size_limit(bytes, rewrite), '\0');
  size_t written = rewrite_request(bytes, head, rewrite, rewritten);
  require(written != 0, "a rewritten head fits into its limit");
  rewritten.resize(written);
  if (rewritten.size() > http::max_head_size) return;
  require(parse_request_head(rewritten, again) == http::ParseState::complete, "a rewritten head is a head");
  require(again.size == written && again.framing == head.framing, "a rewritten head has the same body");
  require(again.target == "/t" && again.host == "h.example.com" && !again.has_lunar, "a rewritten head is rewritten");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  http::RequestHead head;
  http::ParseState state = parse_request_head(text, head);
  check_prefixes(text, parse);
  require((state == http::ParseState::malformed || state == http::ParseState::too_large) == (head.fault != nullptr),
          "a refusal has a reason");
  if (state != http::ParseState::complete) return 0;
  check_accepted_head(text, head);
  require(inside(head.target, text) && !head.target.empty() && !head.method.empty(), "a request line is complete");
  check_rewriting(text.substr(0, head.size), head);
  return 0;
}
