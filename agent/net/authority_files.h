// The authority's folder in the state directory: key.pem (0600), cert.pem and previous.pem (0644).
#pragma once

#include <sys/types.h>

#include <chrono>
#include <string>

#include "agent/net/authority.h"
#include "flowengine/result.h"

namespace lunar {

// os_error is ENOENT where there is no authority yet. A key that others may read is refused, because they may have.
[[nodiscard]] Result<LocalAuthority> read_authority(const std::string& folder, WallTime now);

// Another one as soon as the certificates or the key have been changed, replaced, added or removed.
struct AuthorityStamp {
  struct File {  // all zero: not there
    dev_t device = 0;
    ino_t inode = 0;
    off_t size = 0;
    std::chrono::nanoseconds changed{};
    bool operator==(const File&) const = default;
  };
  File certificates, key;
  bool operator==(const AuthorityStamp&) const = default;
};
[[nodiscard]] AuthorityStamp authority_stamp(const std::string& folder);

// Replaces what is in the folder, which is made if only it is missing. Whenever this ends, by an error or by a crash,
// the folder has the old authority or the new one, whole; after an error read_authority() tells which.
[[nodiscard]] Result<> write_authority(const std::string& folder, const LocalAuthority& authority);

}  // namespace lunar
