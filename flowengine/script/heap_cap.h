// Memory for a Duktape heap, up to a limit; beyond it allocations fail, which the script sees as an error.
#pragma once

#include <duktape.h>

#include <cstddef>

namespace lunar {

class HeapCap {
 public:
  explicit HeapCap(size_t limit) : left_(limit) {}
  HeapCap(const HeapCap&) = delete;
  HeapCap& operator=(const HeapCap&) = delete;
  ~HeapCap();  // ends the heap

  // Null if the limit does not even hold the built-in objects. `fatal` does not return.
  [[nodiscard]] duk_context* make_heap(duk_fatal_function fatal);
  [[nodiscard]] bool refused() const { return refused_; }  // some allocation, even if collecting garbage then helped

 private:
  static void* allocate(void* self, duk_size_t size);
  static void* reallocate(void* self, void* block, duk_size_t size);
  static void release(void* self, void* block);

  size_t left_;
  bool refused_ = false;
  duk_context* heap_ = nullptr;
};

}  // namespace lunar
