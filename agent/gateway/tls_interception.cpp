#include "agent/gateway/tls_interception.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/base/log.h"

namespace lunar::gateway {
namespace {

constexpr Nanoseconds explained_for = std::chrono::hours(1);
constexpr Nanoseconds trusted_for = std::chrono::minutes(1);

std::string pair_of(std::string_view program, std::string_view host) {
  std::string out(program);
  out += '\0';  // in neither
  return out.append(host);
}

TlsVersions versions_of(const TlsConfig& config) {
  return {.lowest = config.min_version == LowestTls::tls13 ? TlsVersion::v1_3 : TlsVersion::v1_2};
}

}  // namespace

std::string_view name_of(TlsOutcome outcome) {
  constexpr std::array<std::string_view, kTlsOutcomes> names{
      "intercepted",        "untrusting_client", "refused", "unsuitable_client", "invalid_certificate",
      "client_certificate", "provider_failed",   "no_leaf", "client_failed"};
  return names[static_cast<size_t>(outcome)];
}

Result<std::unique_ptr<TlsInterception>> TlsInterception::prepare(const TlsConfig& config,
                                                                  const GatewayConfig& gateway) {
  auto modes = TlsModes::create(config.intercept, config.passthrough);
  if (!modes) return std::unexpected(modes.error());
  if (!modes->intercepts_anything()) return nullptr;
  auto clients = TlsServerContext::create(versions_of(config));
  if (!clients) return std::unexpected(clients.error());
  return std::unique_ptr<TlsInterception>(new TlsInterception(config, *std::move(modes), gateway, *std::move(clients)));
}

TlsInterception::TlsInterception(const TlsConfig& config, TlsModes modes, const GatewayConfig& gateway,
                                 TlsServerContext clients)
    : config_(config),
      modes_(std::move(modes)),
      providers_(gateway, config.session_cache),
      clients_(std::move(clients)) {}

Result<> TlsInterception::begin(Fd asking) {
  auto minter = LeafMinter::create(
      std::move(asking), {.cache = config_.leaf_cache,
                          .lifetime = std::chrono::duration_cast<std::chrono::seconds>(config_.leaf_lifetime)});
  if (!minter) return std::unexpected(minter.error());
  minter_ = *std::move(minter);
  return {};
}

TlsOutcome TlsInterception::judge(const ClientHello& hello, std::string_view host, std::string_view program) const {
  if (untrusting_.contains(pair_of(program, host), monotonic_now())) return TlsOutcome::untrusting_client;
  const TlsVersions versions = versions_of(config_);
  const bool version = std::ranges::any_of(hello.versions, [&versions](uint16_t offered) {
    return offered >= static_cast<uint16_t>(versions.lowest) && offered <= static_cast<uint16_t>(versions.highest);
  });
  const bool protocol = hello.alpn.empty() || hello.offers_alpn("http/1.1") || hello.offers_alpn("h2");
  return version && protocol ? TlsOutcome::intercepted : TlsOutcome::unsuitable_client;
}

void TlsInterception::note_refusal(std::string_view host, std::string_view program, std::string_view how) {
  const MonotonicTime now = monotonic_now();
  if (!untrusting_.add(pair_of(program, host), now + config_.untrusted_for, now)) return;
  log::warn(
      "{} does not take our certificate for {} ({}): its connections there pass through unopened for {} s; "
      "`lunarctl doctor` says what its trust store lacks",
      program.empty() ? "a program" : program, host, how,
      std::chrono::duration_cast<std::chrono::seconds>(config_.untrusted_for).count());
}

void TlsInterception::note_trust(std::string_view host, uint32_t pid) {
  const MonotonicTime now = monotonic_now();
  (void)trusting_.add(pair_of(std::to_string(pid), host), now + trusted_for, now);
}

bool TlsInterception::trusted_lately(std::string_view host, uint32_t pid) const {
  return trusting_.contains(pair_of(std::to_string(pid), host), monotonic_now());
}

std::vector<std::pair<std::string_view, uint64_t>> TlsInterception::counts() const {
  std::vector<std::pair<std::string_view, uint64_t>> out;
  for (size_t i = 0; i < kTlsOutcomes; ++i)
    out.emplace_back(name_of(static_cast<TlsOutcome>(i)), outcomes_[i].load(std::memory_order_relaxed));
  return out;
}

nlohmann::json TlsInterception::describe() const {
  const MonotonicTime now = monotonic_now();
  nlohmann::json outcomes = nlohmann::json::object(), passed_through = nlohmann::json::array();
  for (const auto& [outcome, count] : counts()) outcomes[outcome] = count;
  auto untrusting = untrusting_.list(now);
  std::ranges::sort(untrusting);
  for (const auto& [pair, until] : untrusting) {
    const size_t middle = pair.find('\0');
    passed_through.push_back({{"program", pair.substr(0, middle)},
                              {"host", pair.substr(middle + 1)},
                              {"seconds_left", std::chrono::ceil<std::chrono::seconds>(until - now).count()}});
  }
  return {{"intercepting", true}, {"outcomes", outcomes}, {"passed_through", passed_through}};
}

void TlsInterception::explain(TlsOutcome outcome, std::string_view host, std::string_view reason) {
  const MonotonicTime now = monotonic_now();
  if (!explained_.add(pair_of(name_of(outcome), host), now + explained_for, now)) return;
  log::warn("TLS to {} passes through unopened ({}): {}", host, name_of(outcome), reason);
}

}  // namespace lunar::gateway
