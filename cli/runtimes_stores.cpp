// Where the libraries and runtimes look for roots.
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <iterator>

#include "cli/runtimes.h"

namespace lunar::cli {
namespace {

namespace fs = std::filesystem;

constexpr const char* system_folder = "/etc/ssl/certs";
constexpr const char* usual_openssl_folder = "/usr/lib/ssl";

// crypto/x509/root_linux.go: of the files the first one that is there, and every folder.
constexpr std::array<const char*, 6> go_files{system_bundle,
                                              "/etc/pki/tls/certs/ca-bundle.crt",
                                              "/etc/ssl/ca-bundle.pem",
                                              "/etc/pki/tls/cacert.pem",
                                              "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                              "/etc/ssl/cert.pem"};
constexpr std::array<const char*, 2> go_folders{system_folder, "/etc/pki/tls/certs"};

// Debian's Node is the one with a library of its own, and built to use the system's roots.
bool is_node_with_system_roots(const Process& process) { return !process.mapped_library("libnode.so").empty(); }

bool is_node(const Process& process) {
  return process.name() == "node" || process.name() == "nodejs" || is_node_with_system_roots(process);
}

bool is_python(const Process& process) {
  return process.name().starts_with("python") || !process.mapped_library("libpython").empty();
}

std::vector<StorePlace> named_folders(const Process& process, StoreKind kind) {
  constexpr const char* variable = "SSL_CERT_DIR";
  const std::string folders = process.variable(variable) + ":";
  std::vector<StorePlace> out;
  for (size_t begin = 0, end = 0; (end = folders.find(':', begin)) != std::string::npos; begin = end + 1)
    if (end > begin) out.push_back({kind, process.absolute(folders.substr(begin, end - begin)), variable});
  return out;
}

// The folder that it was built for is written in libcrypto, or in the program where that is linked into it.
std::string openssl_folder(const Process& process) {
  const std::string library = process.mapped_library("libcrypto.so");
  const std::string program = "/proc/" + std::to_string(process.pid) + "/exe";
  const OpenFile file = library.empty() ? OpenFile(std::fopen(program.c_str(), "rbe")) : process.tree().open(library);
  const std::string found = file ? quoted_after(file.get(), "OPENSSLDIR: \"") : "";
  return found.empty() ? usual_openssl_folder : found;
}

std::vector<StorePlace> openssl_places(const Process& process) {
  const std::string folder = openssl_folder(process);
  std::vector<StorePlace> out = named_folders(process, StoreKind::hashed);
  if (out.empty()) out.push_back({StoreKind::hashed, folder + "/certs"});
  out.insert(out.begin(),
             named_file(process, "SSL_CERT_FILE").value_or(StorePlace{StoreKind::certificates, folder + "/cert.pem"}));
  return out;
}

// The program looks at variables, the library alone does not.
std::vector<StorePlace> curl_places(const Process& process) {
  std::vector<StorePlace> out;
  std::optional<StorePlace> file;
  if (process.name() == "curl") {
    file = named_file(process, "CURL_CA_BUNDLE");
    if (!file) {
      file = named_file(process, "SSL_CERT_FILE");
      out = named_folders(process, StoreKind::hashed);
    }
  }
  if (out.empty()) out.push_back({StoreKind::hashed, system_folder});
  out.insert(out.begin(), file.value_or(StorePlace{StoreKind::certificates, system_bundle}));
  return out;
}

bool has_option(const Process& process, const std::string& option) {
  return process.variable("NODE_OPTIONS").find(option) != std::string::npos ||
         std::ranges::find(process.arguments, option) != process.arguments.end();
}

TrustUse node_use(const Process& process) {
  TrustUse out{.runtime = "Node.js", .places = {}, .setting = "NODE_EXTRA_CA_CERTS"};
  if (has_option(process, "--use-openssl-ca") || has_option(process, "--use-system-ca") ||
      is_node_with_system_roots(process))
    out.places = openssl_places(process);
  if (auto extra = named_file(process, "NODE_EXTRA_CA_CERTS")) out.places.push_back(std::move(*extra));
  return out;
}

TrustUse go_use(const Process& process) {
  const FileTree tree = process.tree();
  TrustUse out{.runtime = "Go", .places = named_folders(process, StoreKind::certificates)};
  if (out.places.empty())
    for (const char* folder : go_folders) out.places.push_back({StoreKind::certificates, folder});
  const auto usual = std::ranges::find_if(go_files, [&](const char* path) { return tree.place(path).has_value(); });
  if (auto file = named_file(process, "SSL_CERT_FILE"))
    out.places.insert(out.places.begin(), std::move(*file));
  else if (usual != go_files.end())
    out.places.insert(out.places.begin(), {StoreKind::certificates, *usual});
  return out;
}

// Databases that it has open, else the one that its user has, else that of the machine.
TrustUse nss_use(const Process& process) {
  TrustUse out{.runtime = "NSS", .places = {}};
  std::error_code ended;
  const fs::path files = "/proc/" + std::to_string(process.pid) + "/fd";
  for (fs::directory_iterator entry(files, ended), end; !ended && entry != end; entry.increment(ended)) {
    std::error_code gone;
    const fs::path path = fs::read_symlink(entry->path(), gone);
    const std::string folder = path.parent_path();
    const auto known = [&folder](const StorePlace& place) { return place.path == folder; };
    if (!gone && path.filename() == "cert9.db" && std::ranges::none_of(out.places, known))
      out.places.push_back({StoreKind::database, folder, "opened"});
  }
  const std::string own = process.variable("HOME") + "/.pki/nssdb";
  if (out.places.empty() && process.tree().place(own + "/cert9.db")) out.places.push_back({StoreKind::database, own});
  if (out.places.empty()) out.places.push_back({StoreKind::database, "/etc/pki/nssdb"});
  return out;
}

}  // namespace

std::optional<StorePlace> named_file(const Process& process, const char* variable) {
  const std::string path = process.variable(variable);
  if (path.empty()) return std::nullopt;
  return StorePlace{StoreKind::certificates, process.absolute(path), variable};
}

std::vector<TrustUse> trust_uses(const Process& process) {
  const bool is_curl = process.name() == "curl";
  const bool has_gnutls_curl = !process.mapped_library("libcurl-gnutls.so").empty();
  std::vector<TrustUse> out;
  if (!process.mapped_library("libjvm.so").empty()) out.push_back(java_use(process));
  if (process.is_go) out.push_back(go_use(process));
  if (is_node(process)) out.push_back(node_use(process));
  if (!process.mapped_library("libcurl").empty()) out.push_back({.runtime = "curl", .places = curl_places(process)});
  if (!process.mapped_library("libssl.so").empty() && !is_node(process) && !is_curl)
    out.push_back({.runtime = "OpenSSL", .places = openssl_places(process)});
  if (!process.mapped_library("libgnutls.so").empty() && !is_curl && !has_gnutls_curl)
    out.push_back({.runtime = "GnuTLS", .places = {{StoreKind::certificates, system_bundle}}});
  if (!process.mapped_library("libnss3.so").empty()) out.push_back(nss_use(process));
  if (is_python(process))
    if (auto certifi = certifi_use(process)) out.push_back(std::move(*certifi));
  return out;
}

}  // namespace lunar::cli
