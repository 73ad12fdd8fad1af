#include "agent/http/body_intake.h"

#include <algorithm>

namespace lunar::http {

size_t BodyIntake::take(std::string_view bytes, std::string& payload) {
  size_t used = 0;
  while (used < bytes.size() && !done() && !malformed()) {
    std::string_view rest = bytes.substr(used);
    auto unseen = static_cast<size_t>(std::min<uint64_t>(scanner_.unseen_limit(), rest.size()));
    if (unseen != 0) {
      payload.append(rest.substr(0, unseen));
      scanner_.skip(unseen);
      framing_.clear();
      used += unseen;
    } else if (scanner_.scan(rest.substr(0, 1)).consumed == 1) {
      framing_.push_back(rest.front());
      ++used;
    }
  }
  return used;
}

// Behind the payload stand the end of its chunk, the line of the last chunk, the trailers and an empty line.
std::string_view BodyIntake::trailers() const {
  std::string_view text = framing_;
  if (text.starts_with("\r\n")) text.remove_prefix(2);
  size_t last_chunk = text.find("\r\n");
  if (!done() || last_chunk == std::string_view::npos) return {};
  text.remove_prefix(last_chunk + 2);
  text.remove_suffix(std::min<size_t>(text.size(), 2));
  return text;
}

}  // namespace lunar::http
