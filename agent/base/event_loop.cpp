#include "agent/base/event_loop.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <cstring>

#include "agent/base/log.h"

namespace lunar {
namespace {

// sd_event batches timers that are this close to each other; its default of 250 ms would be a heartbeat deadline.
constexpr uint64_t kTimerAccuracyUs = 500;

uint64_t microseconds(MonotonicTime time) {
  const auto since_boot = std::chrono::ceil<std::chrono::microseconds>(time.time_since_epoch());
  return static_cast<uint64_t>(std::max<int64_t>(since_boot.count(), 0));
}

template <class Callback, class... Arguments>
int guarded(const Callback& callback, Arguments... arguments) {
  try {
    callback(arguments...);
  } catch (const std::exception& error) {
    log::error("an event could not be dealt with: {}", error.what());
  }
  return 0;
}

}  // namespace

struct EventLoop::Source::State : std::enable_shared_from_this<State> {
  State() = default;
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() { end(); }
  void end() { source = sd_event_source_disable_unref(source); }

  // The callback may end its own registration, so what it captured is kept alive while it runs.
  static int on_io(sd_event_source*, int, uint32_t events, void* self) {
    const auto state = static_cast<State*>(self)->shared_from_this();
    return guarded(state->io, events);
  }
  static int on_timer(sd_event_source*, uint64_t, void* self) {
    const auto state = static_cast<State*>(self)->shared_from_this();
    return guarded(state->action);
  }
  static int on_signal(sd_event_source*, const signalfd_siginfo*, void* self) {
    const auto state = static_cast<State*>(self)->shared_from_this();
    return guarded(state->action);
  }

  sd_event_source* source = nullptr;
  IoAction io;
  Action action;
};

EventLoop::Source& EventLoop::Source::operator=(Source&& other) noexcept {
  if (this == &other) return *this;
  reset();
  state_ = std::move(other.state_);
  return *this;
}

EventLoop::Source::~Source() { reset(); }

void EventLoop::Source::reset() {
  if (const auto state = std::move(state_)) state->end();
}

void EventLoop::Source::watch(uint32_t events) { sd_event_source_set_io_events(state_->source, events); }

void EventLoop::Source::fire_at(MonotonicTime when) {
  sd_event_source_set_time(state_->source, microseconds(when));
  sd_event_source_set_enabled(state_->source, SD_EVENT_ONESHOT);
}

void EventLoop::Source::rest() { sd_event_source_set_enabled(state_->source, SD_EVENT_OFF); }

Result<EventLoop> EventLoop::create() {
  sd_event* event = nullptr;
  if (const int error = sd_event_new(&event); error < 0) return fail("cannot create an event loop", -error);
  return EventLoop(event);
}

EventLoop::Source EventLoop::io(int fd, uint32_t events, IoAction action) {
  auto state = std::make_shared<Source::State>();
  state->io = std::move(action);
  const int error = sd_event_add_io(raw(), &state->source, fd, events, Source::State::on_io, state.get());
  if (error >= 0) return Source(std::move(state));
  log::error("cannot watch descriptor {}: {}", fd, strerror(-error));
  return {};
}

EventLoop::Source EventLoop::timer(Action action) {
  auto state = std::make_shared<Source::State>();
  state->action = std::move(action);
  const int error = sd_event_add_time(raw(), &state->source, CLOCK_MONOTONIC, UINT64_MAX, kTimerAccuracyUs,
                                      Source::State::on_timer, state.get());
  if (error < 0) {
    log::error("cannot create a timer: {}", strerror(-error));
    return {};
  }
  sd_event_source_set_enabled(state->source, SD_EVENT_OFF);
  return Source(std::move(state));
}

EventLoop::Source EventLoop::signal(int number, Action action) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, number);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  auto state = std::make_shared<Source::State>();
  state->action = std::move(action);
  const int error = sd_event_add_signal(raw(), &state->source, number, Source::State::on_signal, state.get());
  if (error >= 0) return Source(std::move(state));
  log::error("cannot wait for signal {}: {}", number, strerror(-error));
  return {};
}

int EventLoop::run() { return sd_event_loop(raw()); }

void EventLoop::quit(int code) { sd_event_exit(raw(), code); }

void EventLoop::run_once(Nanoseconds limit) {
  const auto micros = std::chrono::ceil<std::chrono::microseconds>(limit).count();
  sd_event_run(raw(), static_cast<uint64_t>(std::max<int64_t>(micros, 0)));
}

}  // namespace lunar
