#include <ostream>

#include "cli/verbs.h"

namespace lunar::cli {
namespace {

void print_version(const Session& session, const nlohmann::json& answer) {
  session.terminal.out << "lunarctl " << answer[wire::key::kVersion].get<std::string>() << '\n';
}

}  // namespace

void declare_version(CLI::App& app, Session& session, Action& chosen) {
  app.callback([&session, &chosen] {
    chosen = [&session] { return present(session, {{wire::key::kVersion, LUNAR_VERSION}}, print_version); };
  });
}

}  // namespace lunar::cli
