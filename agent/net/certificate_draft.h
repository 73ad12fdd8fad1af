// A certificate while it is written.
#pragma once

#include <string_view>

#include "agent/net/x509_values.h"
#include "flowengine/result.h"

namespace lunar {

// Version 3 with a random serial number of 159 bits. Any step may fail; sign() tells.
class CertificateDraft {
 public:
  // `issuer` is null for one that signs itself, else it outlives the draft.
  CertificateDraft(EVP_PKEY& public_key, X509* issuer, Validity validity);

  void add_to_subject(int nid, std::string_view text);  // UTF-8
  // In the spelling of x509v3_config(5): for constants only, whoever chooses the text could add extensions.
  void add_extension(int nid, const char* constant);
  void add_extension(int nid, void* value, bool critical);  // the C structure of this extension

  [[nodiscard]] Result<CertificatePtr> sign(EVP_PKEY& issuer_key) &&;

 private:
  CertificatePtr certificate_;
  X509* issuer_;
  bool good_ = false;
};

}  // namespace lunar
