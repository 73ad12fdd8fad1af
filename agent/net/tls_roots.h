// The authorities that servers are believed by.
#pragma once

#include <memory>
#include <string>

#include "flowengine/result.h"

struct x509_store_st;

namespace lunar {

// Read once and then kept in memory, because a gateway that was confined can read no file any more. Shared by contexts.
class TlsRoots {
 public:
  // `system`: those of the machine, where OpenSSL's defaults or SSL_CERT_FILE and SSL_CERT_DIR say. `file`: PEM, empty
  // for none; every certificate in it is believed, also one that is not a root.
  [[nodiscard]] static Result<TlsRoots> load(bool system, const std::string& file);

  TlsRoots() = default;  // none: no server is believed

 private:
  friend class TlsClientContext;
  std::shared_ptr<x509_store_st> store_;
};

}  // namespace lunar
