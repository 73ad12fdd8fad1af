#include "agent/gateway/local_zone.h"

#include <ctime>

namespace lunar::gateway {
namespace {

class MachineZone final : public LocalZone {
 public:
  [[nodiscard]] std::chrono::seconds offset(WallTime at) const override {
    const time_t seconds = std::chrono::floor<std::chrono::seconds>(at).time_since_epoch().count();
    tm local{};
    return std::chrono::seconds(localtime_r(&seconds, &local) == nullptr ? 0 : local.tm_gmtoff);
  }
};

}  // namespace

const LocalZone& local_zone() {
  static const MachineZone zone;
  return zone;
}

}  // namespace lunar::gateway
