#include "agent/log_options.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

std::chrono::seconds period_of(RotateInterval interval) {
  switch (interval) {
    case RotateInterval::none:
      return 0s;
    case RotateInterval::min5:
      return 5min;
    case RotateInterval::min10:
      return 10min;
    case RotateInterval::min30:
      return 30min;
    case RotateInterval::hourly:
      return 1h;
    case RotateInterval::daily:
      return 24h;
    case RotateInterval::weekly:
      return 7 * 24h;
  }
  return 0s;
}

}  // namespace

AccessLogOptions access_log_options(const AccessLogConfig& config) {
  return {.path = config.path,
          .rotate_size = config.rotate_size,
          .rotate_interval = period_of(config.rotate_interval),
          .retain = config.retain};
}

}  // namespace lunar
