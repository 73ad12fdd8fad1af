// OpenSSL's queue of errors. It belongs to the thread and not to the object that a call was about, so what is left in
// it would be taken for an error of the next one.
#pragma once

#include <string>

#include "flowengine/result.h"

namespace lunar {

// The reason of the first error; the queue is empty then.
[[nodiscard]] std::string take_openssl_reason();

void forget_openssl_errors();

// The queue is empty again at the end of the scope.
struct CleanErrors {
  CleanErrors() = default;
  CleanErrors(const CleanErrors&) = delete;
  CleanErrors& operator=(const CleanErrors&) = delete;
  ~CleanErrors() { forget_openssl_errors(); }
};

// An error with OpenSSL's reason behind `what`.
[[nodiscard]] std::unexpected<Error> openssl_fault(const std::string& what);

}  // namespace lunar
