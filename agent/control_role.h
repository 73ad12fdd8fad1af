// What the control socket asks for, done by the supervisor's parts.
#pragma once

#include <memory>

#include "agent/admin/control_host.h"

namespace lunar {

class Supervisor;

[[nodiscard]] std::unique_ptr<admin::ControlHost> make_control_host(Supervisor& supervisor);

}  // namespace lunar
