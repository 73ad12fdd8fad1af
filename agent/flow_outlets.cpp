#include "agent/flow_outlets.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <random>
#include <utility>

#include "agent/base/log.h"
#include "agent/collector_tls.h"
#include "agent/failsafe/places.h"
#include "agent/gateway/provider_contexts.h"
#include "flowengine/uri.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

// A wake-up for each record would cost the gateway more than its flows do. The queue holds what comes in that time.
constexpr auto drain_delay = 10ms;
constexpr auto flush_check = 500ms;
constexpr auto finish_limit = 2s;
constexpr size_t kept_sessions = 2;  // of collectors

WallTime wall_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

void signal_fd(int fd) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof one);
}

uint64_t random_seed() {
  std::random_device device;
  return uint64_t{device()} << 32U | device();
}

// Equal as long as the same certificates from the same files are taken from the host and shown to it.
std::string tls_rule(const GatewayConfig& config, std::string_view host) {
  const ProviderTls* provider = config.tls_for(host);
  const ClientCertificate* certificate = config.certificate_for(host);
  std::string out;
  if (provider != nullptr)
    out = fmt::format("{}\n{}\n{}\n", provider->tls_verify, provider->ca, static_cast<int>(provider->min_version));
  if (certificate != nullptr)
    out += fmt::format("{}\n{}\n{}", certificate->tls_verify, certificate->ca, certificate->cert);
  return out;
}

const std::string& flows_endpoint(const GatewayConfig& config) {
  static const std::string none;
  return config.trace_exporter ? config.trace_exporter->endpoint : none;
}

}  // namespace

FlowOutlets::FlowOutlets(EventLoop& loop, const LunardConfig& config, OtlpResource resource)
    : loop_(loop),
      config_(config),
      resource_(std::move(resource)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      queue_([fd = wake_.get()] { signal_fd(fd); }),
      reports_(queue_, random_seed()),
      discovery_(wall_now()) {
  wake_source_ = loop_.io(wake_.get(), EPOLLIN, [this](uint32_t) {
    uint64_t count = 0;
    [[maybe_unused]] const ssize_t got = read(wake_.get(), &count, sizeof count);
    drain_timer_.fire_after(drain_delay);
  });
  drain_timer_ = loop_.timer([this] { drain(); });
  flush_timer_ = loop_.timer([this] {
    flush_timer_.fire_after(flush_check);
    drain();
    if (HarFile* har = reports_.har_file()) report(har->flush_if_due(monotonic_now()));
  });
  save_timer_ = loop_.timer([this] {
    save_timer_.fire_after(Discovery::save_interval);
    if (auto saved = discovery_.save(discovery_path()); !saved) log::debug("{}", saved.error().text);
  });
}

std::string FlowOutlets::discovery_path() const {
  return gateway_state_folder(config_.state.dir) + "/" + std::string(Discovery::file_name);
}

void FlowOutlets::begin() {
  if (auto loaded = discovery_.load(discovery_path()); !loaded)
    log::warn("the discovery state begins anew: {}", loaded.error().text);
  flush_timer_.fire_after(flush_check);
  save_timer_.fire_after(Discovery::save_interval);
}

void FlowOutlets::drain() {
  std::vector<Found> found;
  {
    std::lock_guard lock(found_mutex_);
    found = std::exchange(found_, {});
  }
  for (Found& one : found) one.done(std::move(one.addresses));
  reports_.drain(monotonic_now());
}

void FlowOutlets::read_certificates(const GatewayConfig& config) {
  std::map<std::string, CollectorTls> read;
  std::optional<gateway::ProviderContexts> contexts;
  for (const std::string& endpoint : {flows_endpoint(config), config_.own_traces_endpoint}) {
    const auto target = parse_absolute_target(endpoint);
    if (!target || target->scheme != Scheme::https) continue;
    const std::string& host = target->authority.host;
    if (!contexts) contexts.emplace(config, kept_sessions);
    CollectorTls made{tls_rule(config, host), contexts->for_host(host)};
    const auto before = tls_of_.find(host);
    if (!made.context && before != tls_of_.end() && before->second.context && before->second.rule == made.rule) {
      log::warn("TLS towards {} goes on with the files as they were: {}; `lunarctl restart` reads them again", host,
                made.context.error().text);
      made.context = before->second.context;
    }
    read.insert_or_assign(host, std::move(made));
  }
  tls_of_ = std::move(read);
}

Result<std::unique_ptr<SecureChannel>> FlowOutlets::open_channel(const std::string& host, uint16_t port) const {
  const auto found = tls_of_.find(host);
  if (found == tls_of_.end()) return fail("its certificates were not read");
  const auto& context = found->second.context;
  if (!context) return std::unexpected(context.error());
  return open_collector_channel(**context, host, port);
}

void FlowOutlets::set_configuration(const std::shared_ptr<const Plan>& plan, std::shared_ptr<const MetricsSpec> metrics,
                                    const GatewayConfig& config) {
  reports_.metrics().set_plan(plan, std::move(metrics));
  discovery_.set_plan(*plan);
  set_har_file(config.file_exporter);
  set_trace_senders(config);
}

void FlowOutlets::set_har_file(const FileExporter& file) {
  const std::string key =
      file.dir + "/" + file.name + "|" + std::to_string(file.max_size_mb) + "|" + std::to_string(file.max_files);
  if (std::exchange(har_key_, key) == key) return;
  reports_.set_har_file(std::make_unique<HarFile>(HarFileOptions{.path = file.dir + "/" + file.name,
                                                                 .max_size = uint64_t{file.max_size_mb} << 20U,
                                                                 .max_files = file.max_files,
                                                                 .flush_interval = config_.exporters_flush}));
}

void FlowOutlets::set_trace_senders(const GatewayConfig& config) {
  const std::string& endpoint = flows_endpoint(config);
  if (std::exchange(trace_key_, endpoint) != endpoint) reports_.set_trace_sender(sender_to(endpoint));
  // Where flows send spans to the same place, they choose which calls have one.
  const std::string own = config_.own_traces_endpoint == endpoint ? "" : config_.own_traces_endpoint;
  if (std::exchange(own_trace_key_, own) != own) reports_.set_own_trace_sender(sender_to(own));
}

// Null: nowhere.
std::unique_ptr<TraceSender> FlowOutlets::sender_to(const std::string& endpoint) {
  if (endpoint.empty()) return nullptr;
  return std::make_unique<TraceSender>(
      loop_,
      TraceSenderOptions{
          .endpoint = endpoint,
          .resource = resource_,
          .open_channel = [this](const std::string& host, uint16_t port) { return open_channel(host, port); },
          .flush_interval = config_.exporters_flush},
      [this](const std::string& host, uint16_t port, TraceSender::Resolved done) {
        look_up(host, port, std::move(done));
      });
}

void FlowOutlets::look_up(const std::string& host, uint16_t port, TraceSender::Resolved done) {
  if (resolver_ == nullptr) resolver_ = std::make_unique<Resolver>();
  resolver_->resolve(host, port, [this, done = std::move(done)](Result<std::vector<Endpoint>> addresses) {
    std::lock_guard lock(found_mutex_);
    found_.push_back({done, addresses.value_or(std::vector<Endpoint>{})});
    signal_fd(wake_.get());
  });
}

void FlowOutlets::write(MetricText& text, const FlowGauges& now) {
  drain();
  reports_.write(text, now);
}

// Once when it begins and once when it ends.
void FlowOutlets::report(const Result<>& outcome) {
  if (!outcome && !std::exchange(har_failing_, true)) log::warn("HAR entries are lost: {}", outcome.error().text);
  if (outcome && std::exchange(har_failing_, false)) log::info("HAR entries are written again");
}

Result<> FlowOutlets::reopen() {
  HarFile* har = reports_.har_file();
  return har == nullptr ? Result<>{} : har->reopen();
}

Result<> FlowOutlets::flush() {
  drain();
  HarFile* har = reports_.har_file();
  return har == nullptr ? Result<>{} : har->flush();
}

void FlowOutlets::finish() {
  report(flush());
  if (auto saved = discovery_.save(discovery_path()); !saved)
    log::warn("the discovery state was not saved: {}", saved.error().text);
  for (TraceSender* traces : {reports_.trace_sender(), reports_.own_trace_sender()})
    if (traces != nullptr) traces->flush();
  finish_end_ = monotonic_now() + finish_limit;
}

bool FlowOutlets::finished() const {
  const auto idle = [](const TraceSender* traces) { return traces == nullptr || traces->idle(); };
  return (idle(reports_.trace_sender()) && idle(reports_.own_trace_sender())) || monotonic_now() >= finish_end_;
}

}  // namespace lunar
