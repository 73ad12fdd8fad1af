// What comes over the socket of the script host, whole and in two pieces.
#include "agent/script/client.h"
#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

size_t replies(std::string_view bytes, size_t cut, bool& broken) {
  ScriptClient client;
  size_t count = 0;
  for (std::string_view piece : {bytes.substr(0, cut), bytes.substr(cut)}) {
    client.feed(piece);
    while (client.next_reply()) ++count;
  }
  broken = client.broken();
  return count;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  bool whole_broken = false;
  size_t whole = replies(bytes, size, whole_broken);
  for (size_t cut : {size_t{1}, size / 2, size - std::min<size_t>(size, 1)}) {
    bool broken = false;
    require(replies(bytes, std::min(cut, size), broken) == whole, "pieces make the same replies");
    require(broken == whole_broken, "and break at the same place");
  }
  return 0;
}
