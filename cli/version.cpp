#include <ostream>

#include "cli/verbs.h"

namespace lunar::cli {

void declare_version(CLI::App& app, Session& session, Action& chosen) {
  app.callback([&session, &chosen] {
    chosen = [&session] {
      return present(session, nlohmann::json{{wire::key::kVersion, LUNAR_VERSION}},
                     [](const Session& to, const nlohmann::json& answer) {
                       to.terminal.out << "lunarctl " << answer[wire::key::kVersion].get<std::string>() << '\n';
                     });
    };
  });
}

}  // namespace lunar::cli
