#include "cli/trust_environment.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "agent/config/durable_file.h"
#include "cli/trust_keytool.h"

namespace lunar::cli {
namespace {

// All of them replace what their programs read otherwise, so that they are given the machine's roots as well.
constexpr std::array<const char*, 10> replacing{
    "SSL_CERT_FILE",  "REQUESTS_CA_BUNDLE",   "CURL_CA_BUNDLE", "AWS_CA_BUNDLE",     "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
    "GIT_SSL_CAINFO", "PERL_LWP_SSL_CA_FILE", "DENO_CERT",      "CARGO_HTTP_CAINFO", "PIP_CERT"};
constexpr const char* adding = "NODE_EXTRA_CA_CERTS";

Result<> write(const std::string& path, std::string_view text) {
  return replace_durably(path, path + ".new", text, 0644);
}

// Of the first JDK that has a list, as its successor: Java knows no list besides.
Result<> write_keystore(const std::string& path, const FileTree& tree, const std::vector<Root>& roots) {
  if (std::ranges::any_of(path, [](unsigned char c) { return std::isspace(c) != 0; }))
    return fail("Java takes no path with a space");
  const std::vector<Keystore> stores = keystores(tree);
  if (stores.empty()) return fail("no JDK has a list of roots here");
  const std::optional<Keytool> keytool = Keytool::find();
  if (!keytool) return fail("keytool is not installed: it comes with a JDK or JRE");
  auto bytes = tree.read(stores.front().path);
  if (!bytes) return std::unexpected(bytes.error());
  const auto keystore = keytool->open(std::move(*bytes));
  if (!keystore) return std::unexpected(keystore.error());
  const auto combined = keytool->combined(*keystore, roots);
  if (!combined) return std::unexpected(combined.error());
  return write(path, *combined);
}

}  // namespace

Result<TrustEnvironment> write_trust_environment(const std::string& folder, const FileTree& tree,
                                                 const std::vector<Root>& roots) {
  const std::string bundle = folder + "/bundle.pem";
  const std::string ours = folder + "/roots.pem";
  const std::string keystore = folder + "/truststore.jks";
  const auto combined = combined_bundle(tree, roots);
  if (!combined) return std::unexpected(combined.error());
  if (auto written = write(bundle, *combined); !written) return std::unexpected(written.error());
  if (auto written = write(ours, bundle_of(roots)); !written) return std::unexpected(written.error());
  TrustEnvironment out;
  for (const char* name : replacing) out.variables.emplace_back(name, bundle);
  out.variables.emplace_back(adding, ours);
  if (auto written = write_keystore(keystore, tree, roots); !written)
    out.note = std::string(java_variable) + " is left out: " + written.error().text;
  else
    out.variables.emplace_back(java_variable, java_option + keystore);
  return out;
}

bool has_trust_environment(const std::string& folder) {
  struct stat status{};
  return ::stat((folder + "/bundle.pem").c_str(), &status) == 0;
}

}  // namespace lunar::cli
