// The words behind `lunarctl flows`, each an option set and an action.
#pragma once

#include "cli/verbs.h"

namespace lunar::cli {

void declare_flows_graph(CLI::App& app, Session& session, Action& chosen);
void declare_flows_test(CLI::App& app, Session& session, Action& chosen);
void declare_flows_schema(CLI::App& app, Session& session, Action& chosen);

}  // namespace lunar::cli
