// Text that must not outlive its use: private keys on their way between a file and OpenSSL.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>

namespace lunar {

// Never copied and never grown, because either would leave bytes behind; wiped where it lay.
class Secret {
 public:
  explicit Secret(size_t size = 0);
  Secret(std::initializer_list<std::string_view> parts);  // one after the other
  Secret(Secret&& other) noexcept;
  Secret& operator=(Secret&& other) noexcept;
  Secret(const Secret&) = delete;
  Secret& operator=(const Secret&) = delete;
  ~Secret();

  [[nodiscard]] std::string_view view() const { return {bytes_.get(), size_}; }
  [[nodiscard]] std::span<char> bytes() { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<char[]> bytes_;
  size_t size_ = 0;
};

}  // namespace lunar
