// SHA-256, for values that must be recognised again and not read; MD5, because `md5sum` names file contents by it.
#pragma once

#include <string>
#include <string_view>

namespace lunar {

[[nodiscard]] std::string sha256_hex(std::string_view text);  // 64 lower-case digits
[[nodiscard]] std::string md5_hex(std::string_view text);     // 32, or none where the system forbids MD5

}  // namespace lunar
