// Changes of a JSON body at the places that an expression `$.request.body...` or `$.response.body...` names.
#pragma once

#include <functional>
#include <string>

#include "flowengine/expr/expression.h"

namespace lunar {

// All of them take an expression whose target() is a body, and `body`, the parsed body; `view` answers what filters ask
// about the messages. Without a further selector the place is the body itself.

// Gives how many values went. The body itself becomes null.
size_t remove_matches(Json& body, const Expression& expression, View& view);
// For a singular expression; creates missing objects and appends at the end of an array. False where something stands
// in the way: a value that is no object, or an index beyond the end.
[[nodiscard]] bool set_value(Json& body, const Expression& expression, Json value);
// Gives how many scalars were replaced by a text; null counts as one, arrays and objects do not.
size_t replace_scalars(Json& body, const Expression& expression, View& view,
                       const std::function<std::string(const std::string&)>& replacement);

}  // namespace lunar
