#include "agent/flow_outlets.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <utility>

#include "agent/base/log.h"
#include "agent/failsafe/places.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

// A wake-up for each record would cost the gateway more than its flows do. The queue holds what comes in that time.
constexpr auto drain_delay = 10ms;
constexpr auto flush_check = 500ms;
constexpr auto finish_limit = 2s;

WallTime wall_now() {
  return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
}

void signal_fd(int fd) {
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t written = write(fd, &one, sizeof one);
}

}  // namespace

FlowOutlets::FlowOutlets(EventLoop& loop, const LunardConfig& config, OtlpResource resource)
    : loop_(loop),
      config_(config),
      resource_(std::move(resource)),
      wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      queue_([fd = wake_.get()] { signal_fd(fd); }),
      reports_(queue_),
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

void FlowOutlets::set_configuration(const std::shared_ptr<const Plan>& plan, std::shared_ptr<const MetricsSpec> metrics,
                                    const GatewayConfig& config) {
  reports_.metrics().set_plan(plan, std::move(metrics));
  discovery_.set_plan(*plan);
  const FileExporter& file = config.file_exporter;
  const std::string har_key =
      file.dir + "/" + file.name + "|" + std::to_string(file.max_size_mb) + "|" + std::to_string(file.max_files);
  if (std::exchange(har_key_, har_key) != har_key) {
    reports_.set_har_file(std::make_unique<HarFile>(HarFileOptions{.path = file.dir + "/" + file.name,
                                                                   .max_size = uint64_t{file.max_size_mb} << 20U,
                                                                   .max_files = file.max_files,
                                                                   .flush_interval = config_.exporters_flush}));
  }
  const std::string endpoint = config.trace_exporter ? config.trace_exporter->endpoint : "";
  if (std::exchange(trace_key_, endpoint) == endpoint) return;
  if (endpoint.empty()) return reports_.set_trace_sender(nullptr);
  reports_.set_trace_sender(std::make_unique<TraceSender>(
      loop_, TraceSenderOptions{.endpoint = endpoint, .resource = resource_, .flush_interval = config_.exporters_flush},
      [this](const std::string& host, uint16_t port, TraceSender::Resolved done) {
        look_up(host, port, std::move(done));
      }));
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
  if (TraceSender* traces = reports_.trace_sender()) traces->flush();
  finish_end_ = monotonic_now() + finish_limit;
}

bool FlowOutlets::finished() const {
  const TraceSender* traces = reports_.trace_sender();
  return traces == nullptr || traces->idle() || monotonic_now() >= finish_end_;
}

}  // namespace lunar
