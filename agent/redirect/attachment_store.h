// The attachments as they survive a restart: one JSON file.
#pragma once

#include <string>
#include <vector>

#include "agent/redirect/attachments.h"
#include "flowengine/result.h"

namespace lunar {

struct StoredAttachment {
  std::string target;
  AttachOptions options;
};

// No file: nothing was attached.
[[nodiscard]] Result<std::vector<StoredAttachment>> read_attachments(const std::string& file);
// Either the old or the new content is there, whatever happens meanwhile.
[[nodiscard]] Result<> write_attachments(const std::string& file, const std::vector<StoredAttachment>& attachments);

}  // namespace lunar
