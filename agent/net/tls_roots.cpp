#include "agent/net/tls_roots.h"

#include <openssl/x509.h>

#include <cstdlib>
#include <filesystem>
#include <set>
#include <utility>

#include "agent/net/openssl_errors.h"
#include "agent/net/tls_files.h"

namespace lunar {
namespace {

std::string place(const char* variable, const char* usual) {
  const char* chosen = secure_getenv(variable);
  return chosen == nullptr || *chosen == '\0' ? usual : chosen;
}

Result<> add_file(X509_STORE* store, const std::string& path) {
  auto certificates = read_certificates(path);
  if (!certificates) return std::unexpected(std::move(certificates.error()));
  for (const auto& certificate : *certificates) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1)
      return fail(path + ": a certificate cannot be used: " + take_openssl_reason());
  }
  return {};
}

// Files that hold no certificate may lie between the others, and one file may be there under several names.
bool add_directory(X509_STORE* store, const std::string& path) {
  namespace fs = std::filesystem;
  std::set<fs::path> seen;
  bool any = false;
  std::error_code ended;
  for (fs::directory_iterator entry(path, ended), end; !ended && entry != end; entry.increment(ended)) {
    std::error_code unusable;
    fs::path file = fs::canonical(entry->path(), unusable);
    if (unusable || !seen.insert(file).second) continue;
    if (add_file(store, file)) any = true;
  }
  return any;
}

Result<> add_system(X509_STORE* store) {
  std::string file = place(X509_get_default_cert_file_env(), X509_get_default_cert_file());
  std::string directory = place(X509_get_default_cert_dir_env(), X509_get_default_cert_dir());
  Result<> added = add_file(store, file);
  if (added || add_directory(store, directory)) return {};
  return fail("no authorities of this machine: " + added.error().text + ", and none in " + directory +
                  "; install ca-certificates",
              added.error().os_error);
}

}  // namespace

Result<TlsRoots> TlsRoots::load(bool system, const std::string& file) {
  TlsRoots out;
  out.store_.reset(X509_STORE_new(), X509_STORE_free);
  if (!out.store_) return fail("there is no memory for the authorities");
  if (system) {
    if (Result<> added = add_system(out.store_.get()); !added) return std::unexpected(std::move(added.error()));
  }
  if (!file.empty()) {
    if (Result<> added = add_file(out.store_.get(), file); !added) return std::unexpected(std::move(added.error()));
    X509_STORE_set_flags(out.store_.get(), X509_V_FLAG_PARTIAL_CHAIN);
  }
  return out;
}

}  // namespace lunar
