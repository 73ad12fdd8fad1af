// An expression, and a JSON body behind a line feed.
#include "flowengine/expr/expression.h"
#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 2048) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  size_t cut = text.find('\n');
  auto expression = Expression::parse(text.substr(0, cut));
  if (!expression) {
    require(expression.error().offset <= size, "a fault stands inside of the expression");
    return 0;
  }
  Request request;
  request.method = "POST";
  request.host = "a.example.com";
  request.path = "/v1/x";
  request.query = "a=1&b=%20";
  request.fields.push_back({"X-Team", "blue"});
  if (cut != std::string_view::npos) request.body = text.substr(cut + 1);
  Response response;
  response.status = 200;
  if (cut != std::string_view::npos) response.body = text.substr(cut + 1);
  View view(request, &response);
  auto first = expression->first_text(view);
  require(!first || expression->holds(view), "what has a first result is not empty");
  if (expression->first_integer(view)) require(expression->first_number(view).has_value(), "an integer is a number");
  return 0;
}
