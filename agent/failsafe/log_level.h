// The levels of the configuration in the words of the log.
#pragma once

#include "agent/base/log.h"
#include "agent/config/lunard_config.h"

namespace lunar {

[[nodiscard]] inline spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::warn:
      return spdlog::level::warn;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::debug:
      return spdlog::level::debug;
  }
  return spdlog::level::info;
}

}  // namespace lunar
