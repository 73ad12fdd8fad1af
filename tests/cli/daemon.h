// A control server with its own thread, as lunard has its own process, and lunarctl as a function.
#pragma once

#include <doctest/doctest.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "agent/admin/control_server.h"
#include "agent/admin/gateway_admin.h"
#include "tests/admin/doubles.h"
#include "tests/admin/loopback.h"
#include "tests/cli/outcome.h"

namespace lunar::cli::testing {

// The host, the gateway and the ring are touched by the daemon's thread: look at them after stop().
struct Daemon {
  Daemon() : stop_event(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
    std::promise<void> started;
    auto ready = started.get_future();
    thread = std::thread([this, &started] { serve(started); });
    ready.wait();
  }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;
  ~Daemon() { stop(); }

  void stop() {
    if (!thread.joinable()) return;
    const uint64_t one = 1;
    CHECK(::write(stop_event.get(), &one, sizeof one) == static_cast<ssize_t>(sizeof one));
    thread.join();
  }
  [[nodiscard]] std::string socket() const { return directory.path / "control"; }

  admin::testing::Directory directory;
  admin::testing::HostDouble host;
  admin::testing::GatewayDouble gateway;
  TransactionRing ring{64};

 private:
  void serve(std::promise<void>& started) {
    EventLoop loop = EventLoop::create().value();
    const auto stop_source = loop.io(stop_event.get(), EPOLLIN, [&loop](uint32_t) { loop.quit(0); });
    const std::string internal = directory.path / "internal";
    const auto gateway_admin = admin::GatewayAdmin::create(
        loop, {.version = "9.9.9", .instance_id = "g", .access_log = {.path = ""}, .rings = {&ring}}, gateway);
    REQUIRE((*gateway_admin)->serve_internal(admin::testing::listen_unix(internal)));
    const auto server = admin::ControlServer::create(loop, admin::testing::listen_unix(socket()), host, internal);
    REQUIRE(server);
    started.set_value();
    REQUIRE(loop.run() == 0);
  }

  Fd stop_event;
  std::thread thread;
};

inline Outcome run(const Daemon& daemon, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), {"--socket", daemon.socket()});
  return run(std::move(arguments));
}

}  // namespace lunar::cli::testing
