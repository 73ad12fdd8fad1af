#include "agent/state/discovery.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "agent/base/fd.h"
#include "flowengine/http_date.h"

namespace lunar {
namespace {

using nlohmann::json;

constexpr std::string_view no_consumer = "N/A";
constexpr std::string_view other_consumer = "other";

double to_microseconds(double milliseconds) { return std::round(milliseconds * 1000) / 1000; }

json written(const CallStats& stats) {
  json codes = json::object();
  for (const auto& [code, times] : stats.status_codes) codes[std::to_string(code)] = times;
  return {{"min_time", rfc3339_text(stats.first)},
          {"max_time", rfc3339_text(stats.last)},
          {"count", stats.count},
          {"status_codes", std::move(codes)},
          {"average_duration", to_microseconds(stats.provider_ms)},
          {"average_total_duration", to_microseconds(stats.total_ms)}};
}

// These throw what at(), get(), value() and stoi() throw.
WallTime time_of(const json& value) { return parse_rfc3339(value.get<std::string>()).value(); }

CallStats read_stats(const json& value) {
  CallStats out;
  out.first = time_of(value.at("min_time"));
  out.last = time_of(value.at("max_time"));
  out.count = value.at("count").get<uint64_t>();
  out.provider_ms = value.at("average_duration").get<double>();
  out.total_ms = value.at("average_total_duration").get<double>();
  for (const auto& [code, times] : value.at("status_codes").items())
    out.status_codes[std::stoi(code)] = times.get<uint64_t>();
  return out;
}

struct Key {
  std::string method, host;
  std::vector<PathStep> steps;
};

std::optional<Key> read_key(const std::string& text) {
  Key out;
  const size_t colons = text.find(":::");
  const size_t slash = text.find('/', colons == std::string::npos ? 0 : colons);
  if (colons == std::string::npos || slash == std::string::npos) return std::nullopt;
  out.method = text.substr(0, colons);
  out.host = text.substr(colons + 3, slash - colons - 3);
  std::string_view rest = std::string_view(text).substr(slash);
  while (rest.size() > 1) {
    rest.remove_prefix(1);
    const std::string_view step = rest.substr(0, rest.find('/'));
    rest.remove_prefix(step.size());
    out.steps.push_back({std::string(step), step.starts_with('{') && step.ends_with('}')});
  }
  return out;
}

// Braces are for parameters.
std::string value_step(std::string_view segment) {
  return segment.starts_with('{') ? "%7B" + std::string(segment.substr(1)) : std::string(segment);
}

}  // namespace

std::vector<PathStep> Discovery::steps_of(const CallView& call) {
  std::string storage;
  std::string_view rest = normal_path(call.path, storage);
  std::vector<PathStep> out;
  const UrlPattern* best = nullptr;
  if (known_) {
    found_.clear();
    known_->find(call.host, call.port, call.path, found_);
    for (const uint32_t index : found_) {
      const UrlPattern& pattern = known_->patterns()[index];
      if (best == nullptr || pattern.compare_specificity(*best) > 0) best = &pattern;
    }
  }
  if (best != nullptr) {
    for (const PatternPiece& piece : best->path().pieces()) {
      if (rest.empty()) break;
      const std::string_view value = take_segment(rest);
      out.push_back({piece.parameter ? "{" + piece.text + "}" : value_step(value), true});
    }
  }
  while (!rest.empty()) out.push_back({value_step(take_segment(rest)), false});
  return out;
}

CallStats* Discovery::consumer_of(EndpointStats& endpoint, std::string_view tag) {
  if (tag.empty()) tag = no_consumer;
  if (!consumers_.contains(tag) && consumers_.size() >= most_consumers) tag = other_consumer;
  if (const auto known = endpoint.consumers.find(tag); known != endpoint.consumers.end()) return &known->second;
  if (consumer_stats_ >= most_consumer_stats && counted_at_ != tree_->collapses()) recount_consumers();
  if (consumer_stats_ >= most_consumer_stats) return nullptr;
  ++consumer_stats_;
  consumers_.emplace(tag);
  return &endpoint.consumers[std::string(tag)];
}

// Endpoints that have become one have fewer of them.
void Discovery::recount_consumers() {
  consumer_stats_ = 0;
  counted_at_ = tree_->collapses();
  tree_->for_each([&](const std::string&, const EndpointStats& stats) { consumer_stats_ += stats.consumers.size(); });
}

void Discovery::see_interceptor(const CallView& call) {
  const size_t slash = call.interceptor.rfind('/');
  const bool whole = slash != std::string_view::npos && slash != 0 && slash + 1 != call.interceptor.size();
  std::pair<std::string, std::string> key{"unknown", "unknown"};
  if (whole) key = {std::string(call.interceptor.substr(0, slash)), std::string(call.interceptor.substr(slash + 1))};
  const auto known = interceptors_.find(key);
  if (known != interceptors_.end()) {
    known->second = std::max(known->second, call.started);
  } else if (interceptors_.size() < most_interceptors) {
    interceptors_.emplace(std::move(key), call.started);
  }
}

void Discovery::add(const CallView& call) {
  see_interceptor(call);
  EndpointStats* endpoint = tree_->find(call.host, steps_of(call), call.method);
  if (endpoint == nullptr) {
    ++dropped_;
    return;
  }
  CallStats one{.first = call.started, .last = call.started, .count = 1};
  one.status_codes[call.status] = 1;
  one.provider_ms = call.provider_ms.value_or(0);
  one.total_ms = call.total_ms;
  endpoint->all.merge(one);
  if (CallStats* consumer = consumer_of(*endpoint, call.consumer_tag)) consumer->merge(one);
}

std::string Discovery::text() const {
  json out{{"created_at", rfc3339_text(created_)},
           {"interceptors", json::array()},
           {"endpoints", json::object()},
           {"consumers", json::object()}};
  for (const auto& [key, last] : interceptors_)
    out["interceptors"].push_back(
        {{"type", key.first}, {"version", key.second}, {"last_transaction_date", rfc3339_text(last)}});
  tree_->for_each([&](const std::string& key, const EndpointStats& stats) {
    out["endpoints"][key] = written(stats.all);
    for (const auto& [tag, consumer] : stats.consumers) out["consumers"][tag][key] = written(consumer);
  });
  return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

void Discovery::restore_consumer(EndpointStats* endpoint, std::string_view tag, const CallStats& stats) {
  CallStats* consumer = endpoint == nullptr ? nullptr : consumer_of(*endpoint, tag);
  if (consumer != nullptr) consumer->merge(stats);
}

Result<> Discovery::restore(std::string_view text) {
  Discovery next(created_);
  try {
    const json saved = json::parse(text);
    next.created_ = time_of(saved.at("created_at"));
    for (const json& one : saved.at("interceptors")) {
      if (next.interceptors_.size() >= most_interceptors) break;
      next.interceptors_[{one.at("type").get<std::string>(), one.at("version").get<std::string>()}] =
          time_of(one.at("last_transaction_date"));
    }
    const auto endpoint_of = [&](const std::string& text_of_key) {
      const Key key = read_key(text_of_key).value();
      return next.tree_->find(key.host, key.steps, key.method);
    };
    for (const auto& [key, stats] : saved.at("endpoints").items())
      if (EndpointStats* endpoint = endpoint_of(key)) endpoint->all.merge(read_stats(stats));
    for (const auto& [tag, endpoints] : saved.at("consumers").items())
      for (const auto& [key, stats] : endpoints.items())
        next.restore_consumer(endpoint_of(key), tag, read_stats(stats));
  } catch (const std::exception& error) {
    return fail(std::string("the discovery state cannot be read: ") + error.what());
  }
  next.known_ = std::move(known_);
  *this = std::move(next);
  return {};
}

Result<> Discovery::load(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return {};
  std::ostringstream text;
  text << file.rdbuf();
  Result<> restored = restore(text.str());
  if (restored) return {};
  return fail(path + ": " + restored.error().text + "; it is begun anew");
}

// Not synced to the disk: what a power cut takes is learned again.
Result<> Discovery::save(const std::string& path) const {
  const std::string beside = path + ".new";
  const std::string content = text();
  const Fd file(::open(beside.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
  bool good = static_cast<bool>(file);
  for (size_t at = 0; good && at < content.size();) {
    const ssize_t count = ::write(file.get(), content.data() + at, content.size() - at);
    if (count < 0 && errno == EINTR) continue;
    good = count > 0;
    if (good) at += static_cast<size_t>(count);
  }
  if (good && std::rename(beside.c_str(), path.c_str()) == 0) return {};
  const int error = errno;
  ::unlink(beside.c_str());
  return fail("cannot write " + path + ": " + std::strerror(error) + "; make its directory writable", error);
}

}  // namespace lunar
