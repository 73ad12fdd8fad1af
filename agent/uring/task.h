// A lazy coroutine: it runs when awaited (or started as the root of a group) and resumes its awaiter when it ends.
// Rules: destroy is not cancel — a frame is destroyed only after it has finished; no exception leaves a coroutine;
// everything belongs to the thread of its loop.
#pragma once

#include <coroutine>
#include <exception>
#include <optional>
#include <utility>

#include "agent/uring/frame_pool.h"

namespace lunar::uring {

template <class T = void>
class Task;

namespace task_internal {

struct FinalAwaiter {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  template <class Promise>
  std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
    return self.promise().continuation;
  }
  void await_resume() const noexcept {}
};

struct PromiseCore {
  std::coroutine_handle<> continuation = std::noop_coroutine();

  static void* operator new(size_t bytes) { return FramePool::allocate(bytes); }
  static void operator delete(void* block, size_t bytes) noexcept { FramePool::release(block, bytes); }

  [[nodiscard]] std::suspend_always initial_suspend() const noexcept { return {}; }
  [[nodiscard]] FinalAwaiter final_suspend() const noexcept { return {}; }
  // The data path has no state to fall back to when memory runs out in the middle of an exchange: the process ends,
  // the hook lets traffic go direct, the supervisor starts a new gateway.
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
};

}  // namespace task_internal

template <class T>
class [[nodiscard]] Task {
 public:
  struct promise_type : task_internal::PromiseCore {
    std::optional<T> value;
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    template <class U>
    void return_value(U&& result) {
      value.emplace(std::forward<U>(result));
    }
  };

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    frame_.promise().continuation = awaiter;
    return frame_;
  }
  T await_resume() { return std::move(*frame_.promise().value); }

 private:
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

template <>
class [[nodiscard]] Task<void> {
 public:
  struct promise_type : task_internal::PromiseCore {
    Task get_return_object() { return Task(std::coroutine_handle<promise_type>::from_promise(*this)); }
    void return_void() const noexcept {}
  };

  Task(Task&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (frame_) frame_.destroy();
  }

  [[nodiscard]] bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> awaiter) noexcept {
    frame_.promise().continuation = awaiter;
    return frame_;
  }
  void await_resume() const noexcept {}

 private:
  friend class TaskGroup;
  explicit Task(std::coroutine_handle<promise_type> frame) : frame_(frame) {}
  std::coroutine_handle<promise_type> frame_;
};

// The root of coroutines: runs tasks to their end and knows how many have not ended. The group must be empty
// before it is destroyed; its owner stops what the tasks wait for and waits for size() == 0.
class TaskGroup {
 public:
  TaskGroup() = default;
  TaskGroup(const TaskGroup&) = delete;
  TaskGroup& operator=(const TaskGroup&) = delete;

  void start(Task<> task) { run(*this, std::move(task)); }
  [[nodiscard]] size_t size() const { return size_; }

 private:
  struct Root {
    struct promise_type {
      static void* operator new(size_t bytes) { return FramePool::allocate(bytes); }
      static void operator delete(void* block, size_t bytes) noexcept { FramePool::release(block, bytes); }
      Root get_return_object() const noexcept { return {}; }
      [[nodiscard]] std::suspend_never initial_suspend() const noexcept { return {}; }
      [[nodiscard]] std::suspend_never final_suspend() const noexcept { return {}; }
      void return_void() const noexcept {}
      [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }
    };
  };

  static Root run(TaskGroup& group, Task<> task) {
    ++group.size_;
    co_await task;
    --group.size_;
  }

  size_t size_ = 0;
};

}  // namespace lunar::uring
