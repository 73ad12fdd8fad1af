#include "agent/config/file_text.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "agent/base/fd.h"
#include "flowengine/spec/document.h"

namespace lunar {

Result<std::optional<std::string>> read_file_text(const std::string& path) {
  Fd file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return std::nullopt;
  if (!file) return fail("cannot be opened: " + std::string(strerror(errno)), errno);
  std::string text;
  std::array<char, 16384> part;
  while (text.size() <= max_document_bytes) {
    ssize_t count = read(file.get(), part.data(), part.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("cannot be read: " + std::string(strerror(errno)), errno);
    if (count == 0) break;
    text.append(part.data(), static_cast<size_t>(count));
  }
  return text;
}

}  // namespace lunar
