#include "agent/net/x509_values.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <new>
#include <optional>
#include <utility>

#include "flowengine/digest.h"

namespace lunar {
namespace {

template <class Object, class Encode>
std::string encoded(const Object& object, Encode encode) {
  unsigned char* bytes = nullptr;
  const int size = encode(&object, &bytes);
  if (size < 0) throw std::bad_alloc();
  std::string out(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
  OPENSSL_free(bytes);
  return out;
}

std::optional<WallTime> time_of(const ASN1_TIME* time) {
  std::tm fields{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &fields) != 1) return std::nullopt;
  return WallTime(std::chrono::seconds(timegm(&fields)));
}

}  // namespace

BioPtr memory_bio() {
  BioPtr out(BIO_new(BIO_s_secmem()));  // wipes what it held
  if (out == nullptr) throw std::bad_alloc();
  return out;
}

BioPtr reader_of(std::string_view text) {
  if (text.empty()) return memory_bio();
  BioPtr out(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
  if (out == nullptr) throw std::bad_alloc();
  return out;
}

std::string_view content_of(BIO& memory) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(&memory, &bytes);
  return {bytes, size < 0 ? 0 : static_cast<size_t>(size)};
}

int refuse_password(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Result<CertificatePtr> certificate_from_der(std::string_view der) {
  const CleanErrors clean;
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* const end = at + der.size();
  CertificatePtr out(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  if (out == nullptr) return openssl_fault("not a certificate");
  if (at != end) return fail("not a certificate: bytes behind its end");
  return out;
}

Result<std::vector<CertificatePtr>> certificates_from_pem(std::string_view pem, size_t limit) {
  const CleanErrors clean;
  const BioPtr bio = reader_of(pem);
  std::vector<CertificatePtr> out;
  bool asked = false;
  while (CertificatePtr next{PEM_read_bio_X509(bio.get(), nullptr, refuse_password, &asked)}) {
    if (out.size() == limit) return fail("more than " + std::to_string(limit) + " certificates");
    out.push_back(std::move(next));
  }
  if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return openssl_fault("damaged PEM");
  return out;
}

std::string der_of(const X509& certificate) { return encoded(certificate, i2d_X509); }

std::string public_key_der_of(const EVP_PKEY& key) { return encoded(key, i2d_PUBKEY); }

std::string pem_of(const X509& certificate) {
  const BioPtr bio = memory_bio();
  if (PEM_write_bio_X509(bio.get(), &certificate) != 1) throw std::bad_alloc();
  return std::string(content_of(*bio));
}

std::string fingerprint_of(const X509& certificate) {
  std::string out;
  for (const char digit : sha256_hex(der_of(certificate))) {
    if (out.size() % 3 == 2) out += ':';
    out += digit >= 'a' ? static_cast<char>(digit - 'a' + 'A') : digit;
  }
  return out;
}

std::string text_of(const X509_NAME& name) {
  const BioPtr bio = memory_bio();
  if (X509_NAME_print_ex(bio.get(), &name, 0, XN_FLAG_RFC2253) < 0) return "(a name that cannot be shown)";
  return std::string(content_of(*bio));
}

Result<Validity> validity_of(const X509& certificate) {
  const CleanErrors clean;
  const auto not_before = time_of(X509_get0_notBefore(&certificate));
  const auto not_after = time_of(X509_get0_notAfter(&certificate));
  if (!not_before || !not_after) return fail("the certificate says no time that it is valid");
  return Validity{*not_before, *not_after};
}

std::string date_text(WallTime time) {
  const std::time_t seconds = std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm fields{};
  gmtime_r(&seconds, &fields);
  char out[32]{};
  return {out, std::strftime(out, sizeof out, "%F", &fields)};
}

}  // namespace lunar
