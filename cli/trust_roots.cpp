#include "cli/trust_roots.h"

#include <array>
#include <cerrno>

#include "agent/net/x509_values.h"

namespace lunar::cli {
namespace {

constexpr size_t digits_in_name = 16;

// Debian and its like, Fedora, older Fedora, SUSE, Alpine.
constexpr std::array<const char*, 5> bundles{system_bundle, "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
                                             "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/ca-bundle.pem",
                                             "/etc/ssl/cert.pem"};

constexpr std::string_view begin_mark = "-----BEGIN ";
constexpr std::string_view end_mark = "-----END ";

// From `at` behind the end of the next PEM block; nothing: there is none.
std::string_view next_block(std::string_view text, size_t& at) {
  const size_t begin = text.find(begin_mark, at);
  const size_t end = begin == std::string_view::npos ? begin : text.find(end_mark, begin);
  if (end == std::string_view::npos) return {};
  at = std::min(text.find('\n', end), text.size());
  return text.substr(begin, at - begin);
}

}  // namespace

std::string store_name(std::string_view fingerprint) {
  std::string digits;
  for (const char digit : fingerprint) {
    if (digit == ':' || digits.size() == digits_in_name) continue;
    digits += digit >= 'A' && digit <= 'F' ? static_cast<char>(digit - 'A' + 'a') : digit;
  }
  return "lunar-" + digits;
}

std::string Root::name() const { return store_name(fingerprint); }

Result<std::vector<Root>> roots_of(const LocalAuthority& authority, WallTime now) {
  std::vector<Root> out;
  for (std::string& pem : authority.root_pems(now)) {
    const auto certificate = certificates_from_pem(pem, 1);
    if (!certificate) return std::unexpected(certificate.error());
    out.push_back({.pem = std::move(pem), .fingerprint = fingerprint_of(*certificate->front())});
  }
  return out;
}

std::set<std::string> fingerprints_in(std::string_view text) {
  std::set<std::string> out;
  size_t at = 0;
  for (std::string_view block = next_block(text, at); !block.empty(); block = next_block(text, at)) {
    const auto certificates = certificates_from_pem(block, 1);
    if (certificates && !certificates->empty()) out.insert(fingerprint_of(*certificates->front()));
  }
  if (at > 0) return out;
  if (const auto certificate = certificate_from_der(text)) out.insert(fingerprint_of(**certificate));
  return out;
}

std::string bundle_of(const std::vector<Root>& roots) {
  std::string out;
  for (const Root& root : roots) out += root.pem;
  return out;
}

Result<std::string> combined_bundle(const FileTree& tree, const std::vector<Root>& ours) {
  for (const char* path : bundles) {
    auto text = tree.read(path);
    if (!text && (text.error().os_error == ENOENT || text.error().os_error == ENOTDIR)) continue;
    if (!text) return text;
    const std::set<std::string> known = fingerprints_in(*text);
    if (known.empty()) return fail(tree.outside(path) + " holds no root: run update-ca-certificates");
    if (!text->ends_with('\n')) *text += '\n';
    for (const Root& root : ours)
      if (!known.contains(root.fingerprint)) *text += root.pem;
    return text;
  }
  return fail("this machine has no roots (" + tree.outside(system_bundle) +
              "), and a bundle of ours alone would cut its programs off from everybody else: apt install "
              "ca-certificates");
}

}  // namespace lunar::cli
