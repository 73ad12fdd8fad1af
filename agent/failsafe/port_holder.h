// Who listens on a port that we cannot have.
#pragma once

#include <cstdint>
#include <string>

namespace lunar {

// "nginx (pid 812)", "a process that cannot be seen", or empty when nobody listens on it in this network namespace.
[[nodiscard]] std::string holder_of_port(uint16_t port);

}  // namespace lunar
