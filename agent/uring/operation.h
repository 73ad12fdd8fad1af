// One request to the kernel: where its completion goes. Lives in the object that asked; the address is the
// request's user_data, so the object must outlive the completion.
#pragma once

#include <cstdint>

namespace lunar::uring {

struct Operation {
  // Runs on the loop's thread. `result` is the kernel's (negative errno on failure), `flags` are IORING_CQE_F_*.
  // A multishot request completes many times; the one without IORING_CQE_F_MORE is its last.
  void (*complete)(Operation& self, int32_t result, uint32_t flags) = nullptr;
};

}  // namespace lunar::uring
