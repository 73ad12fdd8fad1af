// A Duktape heap that begins each call in the same state, byte for byte.
#pragma once

#include <duktape.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace lunar::script {

// Making the built-in objects takes longer than most scripts. So it is done once, in memory without gaps of which a
// copy is kept; what is allocated afterwards is on a list. A new call frees the list and copies the memory back, which
// leaves nothing of the call before.
class PristineHeap {
 public:
  // `prepare` runs once, in a protected call. Neither `fatal` nor a failure of `prepare` returns.
  PristineHeap(duk_fatal_function fatal, duk_safe_call_function prepare);
  PristineHeap(const PristineHeap&) = delete;
  PristineHeap& operator=(const PristineHeap&) = delete;
  ~PristineHeap();

  // The heap as `prepare` left it, with its result on the stack; null if that alone is larger than the limit.
  [[nodiscard]] duk_context* renew(size_t limit);
  [[nodiscard]] bool refused() const { return refused_; }  // some allocation, even if collecting garbage then helped

 private:
  // Stands before each block.
  struct alignas(16) Block {
    size_t size = 0;  // without this head
    Block* before = nullptr;
    Block* after = nullptr;
  };

  static void* allocate(void* self, duk_size_t size);
  static void* reallocate(void* self, void* memory, duk_size_t size);
  static void release(void* self, void* memory);
  [[nodiscard]] void* take_first(size_t size);  // of the memory that is copied
  [[nodiscard]] void* take_later(size_t size);  // on the list
  [[nodiscard]] bool is_first(const void* memory) const {
    return memory >= first_.get() && memory < first_.get() + used_;
  }
  void free_list();

  std::unique_ptr<std::byte[]> first_;
  size_t used_ = 0;
  std::vector<std::byte> copy_;  // not empty: the heap is prepared
  Block list_;                   // circular
  size_t left_ = 0;
  bool refused_ = false;
  duk_context* heap_ = nullptr;
};

}  // namespace lunar::script
