// A URL pattern, and a URL behind a line feed: the selector agrees with the pattern alone.
#include "flowengine/expr/selector.h"
#include "flowengine/expr/url_pattern.h"
#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2048) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t cut = text.find('\n');
  auto pattern = UrlPattern::parse(text.substr(0, cut));
  if (!pattern) {
    require(!pattern.error().text.empty(), "a fault has a text");
    require(pattern.error().offset <= size, "and stands inside of the pattern");
    return 0;
  }
  require(pattern->compare_specificity(*pattern) == std::weak_ordering::equivalent,
          "a pattern is as specific as itself");
  std::string_view url = cut == std::string_view::npos ? std::string_view{} : text.substr(cut + 1);
  size_t slash = std::min(url.find('/'), url.size());
  std::string_view host = url.substr(0, slash);
  std::string path = "/" + std::string(url.substr(std::min(slash + 1, url.size())));
  Selector selector({*pattern});
  std::vector<uint32_t> found;
  selector.find(host, 443, path, found);
  bool matches = pattern->matches(host, 443, path);
  require(found.size() == (matches ? 1 : 0), "selector and pattern agree");
  if (matches)
    require(selector.params_of(0, host, path).size() == pattern->parameters().size(), "every parameter has a value");
  return 0;
}
