// The key that a gateway process shows to its clients. It is made in the process and never leaves it: what the
// supervisor gets is the public key.
#pragma once

#include <string>
#include <string_view>

#include "agent/net/x509_values.h"
#include "flowengine/result.h"

namespace lunar {

class LeafKey {
 public:
  [[nodiscard]] static Result<LeafKey> generate();  // P-256

  [[nodiscard]] EVP_PKEY* get() const { return key_.get(); }
  [[nodiscard]] const std::string& public_key() const { return public_key_; }  // DER, SubjectPublicKeyInfo

 private:
  LeafKey(KeyPtr key, std::string public_key);

  KeyPtr key_;
  std::string public_key_;
};

// The supervisor's side of it. Only a named P-256 key with an uncompressed point of that curve is taken: anything else
// is a matter of lunard's versions, or of somebody who has the gateway.
[[nodiscard]] Result<KeyPtr> leaf_public_key(std::string_view der);

}  // namespace lunar
