#include "agent/net/secret.h"

#include <openssl/crypto.h>

#include <utility>

namespace lunar {
namespace {

size_t total(std::initializer_list<std::string_view> parts) {
  size_t out = 0;
  for (const std::string_view part : parts) out += part.size();
  return out;
}

}  // namespace

Secret::Secret(size_t size) : bytes_(std::make_unique<char[]>(size)), size_(size) {}

Secret::Secret(std::initializer_list<std::string_view> parts) : Secret(total(parts)) {
  char* to = bytes_.get();
  for (const std::string_view part : parts) to += part.copy(to, part.size());
}

Secret::Secret(Secret&& other) noexcept : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}

Secret& Secret::operator=(Secret&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

Secret::~Secret() { OPENSSL_cleanse(bytes_.get(), size_); }

}  // namespace lunar
