// What the hook must know of the host's network: its own addresses, the ranges that are on-link, and whether a
// default route exists for each family. Kept current by netlink notifications.
#pragma once

#include <memory>

#include "agent/redirect/hook.h"
#include "flowengine/result.h"

namespace lunar {

class Routes {
 public:
  // Of the calling thread's network namespace.
  [[nodiscard]] static Result<std::unique_ptr<Routes>> open();
  ~Routes();
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;

  [[nodiscard]] int fd() const;  // poll for reading, then:
  // Takes in what is pending. True: table() has changed, give it to Hook::set_routes.
  [[nodiscard]] bool on_readable();
  [[nodiscard]] const RouteTable& table() const;

 private:
  struct State;
  explicit Routes(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lunar
