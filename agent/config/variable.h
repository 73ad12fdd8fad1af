// How environment variables of gateway.md §5 are spelt, beside the spelling of the file.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/load.h"
#include "flowengine/result.h"

namespace lunar::variable {

using Translated = Result<std::optional<std::string>>;

Translated same(std::string_view value, std::string_view current);
Translated lower_case(std::string_view value, std::string_view current);
Translated seconds(std::string_view value, std::string_view current);
Translated milliseconds(std::string_view value, std::string_view current);
// The port alone; the address stays, and is 127.0.0.1 where the listener was off.
Translated port(std::string_view value, std::string_view current);
// The port of a listener that is on; without effect on one that is off.
Translated port_if_on(std::string_view value, std::string_view current);
// True opens the listener at 127.0.0.1:8001 unless the file says where, false closes it.
Translated connect_switch(std::string_view value, std::string_view current);
// True stands for a file in the fixed place where containers mount it.
Translated redis_ca(std::string_view value, std::string_view current);
Translated redis_cert(std::string_view value, std::string_view current);
Translated redis_key(std::string_view value, std::string_view current);

// Variables of other gateways that are present but have no effect here.
[[nodiscard]] std::vector<std::string> without_effect(const Environment& environment);

}  // namespace lunar::variable
