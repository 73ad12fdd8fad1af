#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <ostream>
#include <sstream>
#include <string>

#include "cli/interrupt.h"
#include "cli/verbs.h"

namespace lunar::cli {
namespace {

using nlohmann::json;

struct TopOptions {
  std::string by{wire::kTopGroups[0]};
  bool once = false;
  unsigned interval = 2;
  size_t limit = 0;  // 0: as many as fit
};

double figure(const json& row, const char* name) {
  return row.is_object() && row.contains(name) && row[name].is_number() ? row[name].get<double>() : 0;
}

void print_rows(std::ostream& out, const Session& session, const json& document, size_t limit) {
  const Palette palette = session.palette();
  using enum Table::Side;
  Table table({{"REQ/S", right},
               {"REQUESTS", right},
               {"ERRORS", right},
               {"P50", right},
               {"P99", right},
               {"IN", right},
               {"OUT", right},
               {"TUNNELS", right},
               {"NAME"}});
  size_t shown = 0;
  for (const json& row : document.value(wire::key::kRows, json::array())) {
    if (shown++ == limit) break;
    const auto errors = static_cast<uint64_t>(figure(row, wire::key::kErrors));
    const bool measured = figure(row, wire::key::kRequests) > 0;
    table.row({human_rate(figure(row, wire::key::kRate)),
               human_count(static_cast<uint64_t>(figure(row, wire::key::kRequests))),
               errors == 0 ? "0" : palette.bad(human_count(errors)),
               measured ? human_milliseconds(figure(row, wire::key::kP50)) : "-",
               measured ? human_milliseconds(figure(row, wire::key::kP99)) : "-",
               human_bytes(figure(row, wire::key::kBytesIn)), human_bytes(figure(row, wire::key::kBytesOut)),
               human_count(static_cast<uint64_t>(figure(row, wire::key::kConnections))),
               printable(row.value(wire::key::kName, ""))});
  }
  if (table.empty()) {
    out << "no transaction ended in the last " << human_rate(figure(document, wire::key::kWindow)) << " seconds\n";
  } else {
    table.print(out, palette);
  }
}

size_t terminal_rows() {
  winsize size{};
  return ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 4 ? size.ws_row : 24U;
}

Request request_for(const TopOptions& options) {
  return {.target = std::string(wire::route::kTop) + query({{"by", options.by}})};
}

int show_once(const Session& session, const TopOptions& options) {
  const auto answer = fetch(session, request_for(options));
  if (!answer) return answer.error();
  if (session.json) {
    session.terminal.out << answer->dump(2) << '\n';
  } else {
    print_rows(session.terminal.out, session, *answer, options.limit == 0 ? SIZE_MAX : options.limit);
  }
  return code(wire::Exit::ok);
}

int refresh(const Session& session, const TopOptions& options) {
  const InterruptGuard interrupt;
  while (true) {
    const auto answer = fetch(session, request_for(options));
    if (!answer) return answer.error();
    std::ostringstream page;
    page << session.palette().strong("lunarctl top") << " by " << options.by << ", last "
         << human_rate(figure(*answer, wire::key::kWindow)) << " s; interrupt to end\n\n";
    print_rows(page, session, *answer, options.limit == 0 ? terminal_rows() - 4 : options.limit);
    session.terminal.out << "\033[H\033[2J" << page.str() << std::flush;
    if (interrupt.wait(std::chrono::seconds(options.interval))) return code(wire::Exit::ok);
  }
}

}  // namespace

void declare_top(CLI::App& app, Session& session, Action& chosen) {
  auto options = std::make_shared<TopOptions>();
  app.add_option("--by", options->by, "what a line stands for")
      ->check(CLI::IsMember(std::vector<std::string>(wire::kTopGroups.begin(), wire::kTopGroups.end())))
      ->capture_default_str();
  app.add_flag("--once", options->once, "print once and end, as where the output is no terminal");
  app.add_option("--interval", options->interval, "seconds between two refreshes")
      ->check(CLI::Range(1U, 3600U))
      ->capture_default_str();
  app.add_option("-n,--lines", options->limit, "how many lines at most")->type_name("N");
  app.callback([options, &session, &chosen] {
    chosen = [options, &session] {
      const bool once = options->once || session.json || !session.terminal.interactive;
      return once ? show_once(session, *options) : refresh(session, *options);
    };
  });
}

}  // namespace lunar::cli
