// The error of everything that is not on the data path: a text for people, and errno where the kernel said no.
#pragma once

#include <expected>
#include <string>
#include <utility>

namespace lunar {

struct Error {
  std::string text;  // one line, says what failed and, where there is one, the way out
  int os_error = 0;  // errno, or 0
};

template <class T = void>
using Result = std::expected<T, Error>;

[[nodiscard]] inline std::unexpected<Error> fail(std::string text, int os_error = 0) {
  return std::unexpected(Error{std::move(text), os_error});
}

}  // namespace lunar
