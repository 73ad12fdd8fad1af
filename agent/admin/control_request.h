// Bodies of the control API as values. Pure; what they do not understand they refuse with the reason.
#pragma once

#include <string_view>

#include "agent/admin/control_host.h"
#include "flowengine/result.h"

namespace lunar::admin {

// {"target": "shop.service"} or {"pid": 42}, with "netns", "reset_existing", "transient" (booleans, false).
[[nodiscard]] Result<AttachRequest> attach_request_from(std::string_view body);

// {"mode": "bypass"} or {"mode": "auto"}.
[[nodiscard]] Result<FailsafeMode> failsafe_mode_from(std::string_view body);

}  // namespace lunar::admin
