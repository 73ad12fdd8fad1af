// Logging for operators: one line says what happened and what to do. Levels by audience:
// error: somebody must act now; warn: a promise is weakened; info: a state changed; debug: for developers.
#pragma once

#include <spdlog/spdlog.h>

#include <string_view>

namespace lunar::log {

using spdlog::debug;
using spdlog::error;
using spdlog::info;
using spdlog::warn;

// To the journal's stream where systemd started us (JOURNAL_STREAM), with its priority prefixes, else to
// stderr with time and level. `role` names the process: "lunard" or "gateway".
void start(std::string_view role, spdlog::level::level_enum level);

}  // namespace lunar::log
