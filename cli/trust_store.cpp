#include "cli/trust_store.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace lunar::cli {

std::string full_text(const Error& error) {
  return error.text + (error.os_error == 0 ? "" : std::string(": ") + std::strerror(error.os_error));
}

std::string_view name_of(Effect effect) {
  constexpr std::array<std::string_view, 5> names{"added", "removed", "unchanged", "skipped", "failed"};
  return names[static_cast<size_t>(effect)];
}

Step failed_step(std::string place, const Error& error) { return {Effect::failed, std::move(place), full_text(error)}; }

bool TrustTask::concerns(std::string_view fingerprint) const {
  return roots.empty() || std::ranges::any_of(roots, [&](const Root& root) { return root.fingerprint == fingerprint; });
}

}  // namespace lunar::cli
