#include "agent/net/tls_files.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <utility>

#include "agent/base/fd.h"
#include "agent/net/openssl_errors.h"
#include "agent/net/secret.h"
#include "agent/net/x509_values.h"

namespace lunar {
namespace {

constexpr off_t largest_file = 16L * 1024 * 1024;  // far above any bundle of authorities

std::string way_out(int reason) {
  if (reason == ENOENT) return "; put the file there, or correct the path";
  if (reason == EACCES) return "; let the gateway's user read it";
  return "";
}

Result<Secret> read_file(const std::string& path) {
  auto failed = [&path](const char* what) {
    int reason = errno;
    return fail(path + ": cannot be " + what + ": " + strerror(reason) + way_out(reason), reason);
  };
  Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat found{};
  if (!file || fstat(file.get(), &found) != 0) return failed("opened");
  if (!S_ISREG(found.st_mode) || found.st_size > largest_file)
    return fail(path + ": is no file of certificates or keys; those are regular files below 16 MiB");
  if (found.st_size == 0) return fail(path + ": is empty");
  Secret out(static_cast<size_t>(found.st_size));
  for (std::span<char> rest = out.bytes(); !rest.empty();) {
    ssize_t count = ::read(file.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return failed("read");
    if (count == 0) return fail(path + ": became shorter while it was read; try again");
    rest = rest.subspan(static_cast<size_t>(count));
  }
  return out;
}

bool at_end_of_pem() {
  unsigned long last = ERR_peek_last_error();
  return ERR_GET_LIB(last) == ERR_LIB_PEM && ERR_GET_REASON(last) == PEM_R_NO_START_LINE;
}

}  // namespace

Result<std::vector<OpensslHandle<x509_st>>> read_certificates(const std::string& path) {
  Result<Secret> text = read_file(path);
  if (!text) return std::unexpected(std::move(text.error()));
  forget_openssl_errors();
  OpensslHandle<bio_st> bio = reader_of(text->view());
  std::vector<OpensslHandle<x509_st>> out;
  while (X509* certificate = PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)) out.emplace_back(certificate);
  if (!at_end_of_pem())
    return fail(path + ": certificate " + std::to_string(out.size() + 1) + " is malformed: " + take_openssl_reason() +
                "; export it again as PEM");
  forget_openssl_errors();
  if (out.empty()) return fail(path + ": holds no certificate; expected PEM, which begins -----BEGIN CERTIFICATE-----");
  return out;
}

Result<OpensslHandle<evp_pkey_st>> read_private_key(const std::string& path) {
  Result<Secret> text = read_file(path);
  if (!text) return std::unexpected(std::move(text.error()));
  forget_openssl_errors();
  OpensslHandle<bio_st> bio = reader_of(text->view());
  bool passphrase_wanted = false;
  OpensslHandle<evp_pkey_st> key(PEM_read_bio_PrivateKey(bio.get(), nullptr, refuse_password, &passphrase_wanted));
  if (key) {
    forget_openssl_errors();  // of the formats that were tried before
    return key;
  }
  std::string reason = take_openssl_reason();
  if (passphrase_wanted)
    return fail(path + ": the private key has a passphrase; remove it: openssl pkey -in " + path + " -out NEW");
  return fail(path + ": holds no private key that can be read (" + reason +
              "); expected PEM, which begins -----BEGIN PRIVATE KEY-----");
}

}  // namespace lunar
