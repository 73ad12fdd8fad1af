// completion SHELL; the manual page comes the same way, for the build.
#include <memory>
#include <ostream>
#include <string>

#include "cli/manual.h"
#include "cli/verbs.h"

namespace lunar::cli {

void declare_completion(CLI::App& app, Session& session, Action& chosen) {
  auto shell = std::make_shared<std::string>();
  app.add_option("shell", *shell, "bash, zsh or fish; man for the manual page")
      ->type_name("SHELL")
      ->required()
      ->check(CLI::IsMember(std::vector<std::string>{"bash", "zsh", "fish", "man"}));
  app.callback([shell, &app, &session, &chosen] {
    chosen = [shell, root = app.get_parent(), &session] {
      session.terminal.out << (*shell == "man" ? write_manual(*root, LUNAR_VERSION)
                                               : write_completion(*root, *shell).value_or(""));
      return code(wire::Exit::ok);
    };
  });
}

}  // namespace lunar::cli
