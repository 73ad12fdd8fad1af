#include "cli/session.h"

#include <cerrno>
#include <ostream>

namespace lunar::cli {

using nlohmann::json;

int complain(const Session& session, std::string_view text, wire::Exit exit) {
  const Palette palette(session.terminal.color);
  session.terminal.err << palette.bad("lunarctl:") << ' ' << text << '\n';
  return code(exit);
}

int complain(const Session& session, const Error& error) {
  const bool refused = error.os_error == EACCES || error.os_error == EPERM;
  return complain(session, error.text, refused ? wire::Exit::permission : wire::Exit::unreachable);
}

int complain(const Session& session, const Answer& answer) {
  const json body = json::parse(answer.body, nullptr, false);
  std::string text = "the daemon answered " + std::to_string(answer.status);
  if (body.is_object()) {
    text = body.value(wire::key::kMessage, text);
    const std::string cause = body.value(wire::key::kError, "");
    if (!cause.empty()) text += ": " + cause;
  }
  const bool forbidden = answer.status == 401 || answer.status == 403;
  return complain(session, text, forbidden ? wire::Exit::permission : wire::Exit::refused);
}

std::expected<json, int> fetch(const Session& session, const Request& request) {
  const Result<Answer> answer = Client(session.socket).ask(request);
  if (!answer) return std::unexpected(complain(session, answer.error()));
  if (answer->status / 100 != 2) return std::unexpected(complain(session, *answer));
  json document = json::parse(answer->body, nullptr, false);
  if (document.is_discarded()) {
    return std::unexpected(
        complain(session, "the daemon's answer is no JSON; is it of the same version?", wire::Exit::refused));
  }
  return document;
}

int present(const Session& session, const json& document, void (*print)(const Session&, const json&)) {
  if (session.json) {
    session.terminal.out << document.dump(2) << '\n';
  } else {
    print(session, document);
  }
  return code(wire::Exit::ok);
}

}  // namespace lunar::cli
