// The process in which scripts run: one call after the other, each in an interpreter of its own.
#pragma once

#include "agent/script/interpreter.h"

namespace lunar::script {

// How a worker ends when it was not killed.
inline constexpr int kNotConfined = 70;
inline constexpr int kInterpreterGaveUp = 71;

// Serves the calls that come over `channel` until it is closed. The limit of CPU time is kept by a timer whose signal,
// SIGPROF, ends the process.
[[noreturn]] void run_worker(int channel, Interpreter& interpreter);

}  // namespace lunar::script
