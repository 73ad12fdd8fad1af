#include "agent/failsafe/script_keeper.h"

#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/base/log.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

constexpr Nanoseconds kBackoffFirst = 100ms, kBackoffMost = 5s;
constexpr Nanoseconds kSteadyAfter = 10s;  // having run for so long, its death is the first one again

}  // namespace

ScriptKeeper::ScriptKeeper(EventLoop& loop, GatewayCommand command, uint32_t processes, std::function<void()> renewed)
    : loop_(loop),
      command_(std::move(command)),
      processes_(processes),
      renewed_(std::move(renewed)),
      backoff_(kBackoffFirst, kBackoffMost),
      respawn_(loop.timer([this] {
        start();
        if (process_ != nullptr) renewed_();
      })) {}

void ScriptKeeper::start() {
  auto process = GatewayProcess::spawn(
      loop_, command_,
      {.message = [](const ChannelMessage&) {}, .ended = [this](const std::string& how) { on_ended(how); }});
  if (process) {
    process_ = std::move(*process);
    pid_ = process_->pid();
    started_at_ = monotonic_now();
    log::info("started script host {}", pid_);
    if (auto sent = process_->send({{"processes", processes_}}); sent) return;
    return process_->kill();  // its end is noticed like any other
  }
  log::error("no script can be run: {}: {}", process.error().text, strerror(process.error().os_error));
  respawn_.fire_after(backoff_.next());
}

void ScriptKeeper::on_ended(const std::string& how) {
  log::error("the script host {} {}: scripts answer `failure` until another one is there", pid_, how);
  if (monotonic_now() - started_at_ >= kSteadyAfter) backoff_.reset();
  process_.reset();
  respawn_.fire_after(backoff_.next());
}

std::vector<Fd> ScriptKeeper::connect(uint32_t count) {
  std::vector<Fd> ours, theirs;
  std::vector<int> numbers;
  if (process_ == nullptr) return ours;
  for (uint32_t i = 0; i < count; ++i) {
    int pair[2] = {-1, -1};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
      log::error("a gateway cannot run scripts: {}", strerror(errno));
      return {};
    }
    ours.emplace_back(pair[0]);
    numbers.push_back(theirs.emplace_back(pair[1]).get());
  }
  if (auto sent = process_->send(nlohmann::json::object(), numbers); !sent) {
    log::error("a gateway cannot run scripts: {}", sent.error().text);
    return {};
  }
  return ours;
}

}  // namespace lunar
