#include "agent/net/client_hello.h"

#include <algorithm>

#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  ClientHello hello;
  HelloState whole = parse_client_hello(text, hello);
  bool decided = false;
  for_each_prefix(text, [&](size_t length) {
    Exact prefix(text.substr(0, length));
    ClientHello part;
    HelloState state = parse_client_hello(prefix.view(), part);
    require(state == whole || (state == HelloState::incomplete && !decided), "a prefix never contradicts");
    decided = decided || state != HelloState::incomplete;
    require(state != HelloState::complete || part == hello, "what follows makes no difference");
    require(state == HelloState::complete || part == ClientHello{}, "only a complete hello says something");
  });
  auto readable = [](char c) { return c > ' ' && c < 0x7f && !(c >= 'A' && c <= 'Z'); };
  require(std::ranges::all_of(hello.sni, readable), "a name can stand in a log line");
  require(whole != HelloState::complete || hello.sni.size() <= 253, "a name is no longer than a name");
  return 0;
}
