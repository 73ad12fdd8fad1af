// migrate: named by findings about policies, and not there yet
#include <memory>
#include <string>

#include "cli/verbs.h"

namespace lunar::cli {

void declare_migrate(CLI::App& app, Session& session, Action& chosen) {
  auto file = std::make_shared<std::string>();
  app.add_option("file", *file, "policies.yaml")->type_name("FILE");
  app.callback([file, &session, &chosen] {
    chosen = [file, &session] {
      return complain(session, "migrate is not available in this version; write flows below flows/ instead",
                      wire::Exit::usage);
    };
  });
}

}  // namespace lunar::cli
