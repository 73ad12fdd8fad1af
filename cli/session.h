// What every verb works with: where the daemon is, how to print, and how a failure becomes an exit code.
#pragma once

#include <expected>
#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "agent/admin/wire.h"
#include "cli/client.h"
#include "cli/layout.h"
#include "flowengine/result.h"

namespace lunar::cli {

struct Terminal {
  std::ostream& out;
  std::ostream& err;
  bool interactive = false;  // out is a terminal: refreshing displays make sense
  bool color = false;
};

struct Session {
  Terminal terminal;
  std::string socket{wire::kDefaultSocket};
  std::string config_dir{wire::kDefaultConfigDir};
  bool json = false;
  std::vector<std::string> command;  // of `run`

  [[nodiscard]] Palette palette() const { return Palette(terminal.color && !json); }
};

[[nodiscard]] constexpr int code(wire::Exit exit) { return static_cast<int>(exit); }

// Prints `lunarctl: text` to the error stream; gives the code back.
int complain(const Session& session, std::string_view text, wire::Exit exit);
// Of a connection that failed, or an answer that refuses.
int complain(const Session& session, const Error& error);
int complain(const Session& session, const Answer& answer);

// The JSON of a successful answer; else the exit code, with the reason already printed.
[[nodiscard]] std::expected<nlohmann::json, int> fetch(const Session& session, const Request& request);

// With --json the document; else what `print` makes of it.
int present(const Session& session, const nlohmann::json& document,
            void (*print)(const Session&, const nlohmann::json&));

}  // namespace lunar::cli
