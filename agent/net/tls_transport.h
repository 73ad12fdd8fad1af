// What an OpenSSL connection reads from and writes to in place of a socket: memory, which is held only while there is
// something in it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "agent/net/openssl_handles.h"

namespace lunar {

class TlsTransport {
 public:
  TlsTransport() = default;
  TlsTransport(const TlsTransport&) = delete;
  TlsTransport& operator=(const TlsTransport&) = delete;

  // Both directions of a connection over this object, which outlives it. Null: no memory.
  [[nodiscard]] OpensslHandle<bio_st> open();

  // What OpenSSL reads; borrowed, never copied. An empty view makes it wait.
  std::string_view input;

  [[nodiscard]] std::string_view output() const { return std::string_view(output_).substr(taken_); }
  void take(size_t bytes);

 private:
  static int read(bio_st* bio, char* into, size_t size, size_t* count);
  static int write(bio_st* bio, const char* bytes, size_t size, size_t* count);
  static long control(bio_st* bio, int command, long number, void* pointer);

  std::string output_;
  size_t taken_ = 0;  // bytes at the front of output_ that were taken
};

}  // namespace lunar
