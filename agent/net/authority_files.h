// The authority's folder in the state directory: key.pem (0600), cert.pem and previous.pem (0644).
#pragma once

#include <string>

#include "agent/net/authority.h"
#include "flowengine/result.h"

namespace lunar {

// os_error is ENOENT where there is no authority yet. A key that others may read is refused, because they may have.
[[nodiscard]] Result<LocalAuthority> read_authority(const std::string& folder, WallTime now);

// Replaces what is in the folder, which is made if only it is missing. Whenever this ends, by an error or by a crash,
// the folder has the old authority or the new one, whole; after an error read_authority() tells which.
[[nodiscard]] Result<> write_authority(const std::string& folder, const LocalAuthority& authority);

}  // namespace lunar
