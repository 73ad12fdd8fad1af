// The access log as lunard.yaml wants it.
#pragma once

#include "agent/config/lunard_config.h"
#include "agent/state/access_log.h"

namespace lunar {

[[nodiscard]] AccessLogOptions access_log_options(const AccessLogConfig& config);

}  // namespace lunar
