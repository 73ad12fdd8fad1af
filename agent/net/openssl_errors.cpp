#include "agent/net/openssl_errors.h"

#include <openssl/err.h>

namespace lunar {

std::string take_openssl_reason() {
  unsigned long first = ERR_peek_error();
  const char* text = first == 0 ? nullptr : ERR_reason_error_string(first);
  std::string out = text == nullptr ? "OpenSSL gave no reason" : text;
  forget_openssl_errors();
  return out;
}

std::unexpected<Error> openssl_fault(const std::string& what) {
  const bool given = ERR_peek_error() != 0;
  const std::string reason = take_openssl_reason();
  return fail(given ? what + ": " + reason : what);
}

void forget_openssl_errors() {
  // Clearing walks over the whole queue also when it is empty.
  if (ERR_peek_error() != 0) ERR_clear_error();
}

}  // namespace lunar
