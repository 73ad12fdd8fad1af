// Bytes that travel between processes as a descriptor, however many they are (memfd_create, Linux 3.17).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar {

[[nodiscard]] Result<Fd> make_memory_file(std::string_view bytes);
// The whole content; larger ones than `limit` are refused.
[[nodiscard]] Result<std::string> read_memory_file(int fd, size_t limit);

}  // namespace lunar
