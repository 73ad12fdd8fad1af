#include "agent/gateway/provider_contexts.h"

#include <utility>

namespace lunar::gateway {
namespace {

// Of a client certificate's own entry first: it is the more specific one.
const std::string& authority_file(const ProviderTls* provider, const ClientCertificate* certificate) {
  static const std::string none;
  if (certificate != nullptr && !certificate->ca.empty()) return certificate->ca;
  return provider == nullptr ? none : provider->ca;
}

}  // namespace

ProviderContexts::ProviderContexts(GatewayConfig config, size_t session_keys)
    : config_(std::move(config)), session_keys_(session_keys) {
  auto read_roots = [this](const std::string& file) { roots_.try_emplace(file, TlsRoots::load(file.empty(), file)); };
  read_roots("");
  for (const ProviderTls& provider : config_.provider_tls) read_roots(provider.ca);
  for (const ClientCertificate& certificate : config_.client_certificates) {
    read_roots(certificate.ca);
    certificates_.try_emplace(certificate.cert, TlsCredentials::from_files(certificate.cert));
  }
}

Result<std::shared_ptr<const TlsClientContext>> ProviderContexts::for_host(std::string_view host) {
  const Rule rule{config_.tls_for(host), config_.certificate_for(host)};
  const std::lock_guard lock(mutex_);
  auto known = contexts_.find(rule);
  if (known == contexts_.end()) known = contexts_.emplace(rule, make(rule)).first;
  return known->second;
}

const Result<TlsRoots>& ProviderContexts::roots_for(const Rule& rule) const {
  return roots_.at(authority_file(rule.first, rule.second));
}

Result<std::shared_ptr<const TlsClientContext>> ProviderContexts::make(const Rule& rule) const {
  const auto& [provider, certificate] = rule;
  if (provider != nullptr && !provider->fault.empty()) return fail(provider->fault);
  if (certificate != nullptr && !certificate->fault.empty()) return fail(certificate->fault);
  const Result<TlsRoots>& roots = roots_for(rule);
  if (!roots) return std::unexpected(roots.error());
  TlsClientContext::Settings settings{.roots = *roots, .sessions = {.keys = session_keys_}};
  settings.verify =
      (provider == nullptr || provider->tls_verify) && (certificate == nullptr || certificate->tls_verify);
  if (provider != nullptr && provider->min_version == LowestTls::tls13) settings.versions.lowest = TlsVersion::v1_3;
  if (certificate != nullptr) {
    const auto& credentials = certificates_.at(certificate->cert);
    if (!credentials) return std::unexpected(credentials.error());
    settings.certificate = *credentials;
  }
  auto context = TlsClientContext::create(settings);
  if (!context) return std::unexpected(context.error());
  return std::make_shared<const TlsClientContext>(*std::move(context));
}

}  // namespace lunar::gateway
