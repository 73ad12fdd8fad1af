// The time zone of the machine (localtime_r): where `timezone: Local` of a monthly renewal counts.
#pragma once

#include "flowengine/quota/calendar.h"

namespace lunar::gateway {

[[nodiscard]] const LocalZone& local_zone();

}  // namespace lunar::gateway
