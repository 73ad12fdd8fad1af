// The oldest version of TLS that is spoken, as files of the configuration choose it.
#pragma once

#include <cstdint>

namespace lunar {

enum class LowestTls : uint8_t { tls12, tls13 };

}  // namespace lunar
