// The control plane's event loop: sd_event with callbacks that own what they capture.
#pragma once

#include <systemd/sd-event.h>

#include <functional>
#include <memory>

#include "agent/base/clock.h"
#include "flowengine/result.h"

namespace lunar {

class EventLoop {
 public:
  using Action = std::function<void()>;
  using IoAction = std::function<void(uint32_t events)>;

  // A registration: it ends with this object, which may happen inside its own callback.
  class Source {
   public:
    Source() = default;
    Source(Source&& other) noexcept = default;
    Source& operator=(Source&& other) noexcept;
    ~Source();
    // At once, so that a descriptor may be closed right after it, even inside the callback: a child between fork and
    // exec may hold the same file, and then the kernel would go on reporting it.
    void reset();
    void watch(uint32_t events);       // of an io source: which EPOLL events count from now on
    void fire_at(MonotonicTime when);  // of a timer: once, then it rests until it is set again
    void fire_after(Nanoseconds delay) { fire_at(monotonic_now() + delay); }
    void rest();  // of a timer: not at all until it is set again
    explicit operator bool() const { return state_ != nullptr; }

   private:
    friend class EventLoop;
    struct State;
    explicit Source(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
  };

  [[nodiscard]] static Result<EventLoop> create();

  // A callback that throws is logged and the loop goes on. Every registration that fails (no memory, bad descriptor)
  // gives an empty source and is logged.
  [[nodiscard]] Source io(int fd, uint32_t events, IoAction action);
  [[nodiscard]] Source timer(Action action);               // rests until it is set
  [[nodiscard]] Source signal(int number, Action action);  // blocks the signal in this thread

  [[nodiscard]] int run();  // until quit(); gives its code
  void quit(int code);
  // Runs what is due, or waits for at most `limit` for something to become due.
  void run_once(Nanoseconds limit);

  [[nodiscard]] sd_event* raw() const { return event_.get(); }

 private:
  struct Unref {
    void operator()(sd_event* event) const { sd_event_unref(event); }
  };
  explicit EventLoop(sd_event* event) : event_(event) {}

  std::unique_ptr<sd_event, Unref> event_;
};

}  // namespace lunar
