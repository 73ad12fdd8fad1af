#include "flowengine/compile/strategy_reader.h"

#include <algorithm>
#include <cmath>

#include "flowengine/message.h"

namespace lunar {
namespace {

constexpr std::string_view kinds[] = {"fixed_window", "fixed_window_custom_counter", "fixed_window_llm", "concurrent",
                                      "header_based", "allocation_percentage"};
constexpr std::string_view estimated_tokens = "$.request.headers.x-lunar-estimated-tokens";
constexpr int64_t largest_max = int64_t{1} << 53;
constexpr double largest_seconds = 1e9;

std::chrono::nanoseconds to_nanoseconds(double seconds) {
  return std::chrono::nanoseconds(static_cast<int64_t>(std::llround(seconds * 1e9)));
}

class StrategyReader {
 public:
  StrategyReader(bool internal, Reader& reader) : internal_(internal), reader_(reader) {}

  std::optional<ReadStrategy> read(const Value& strategy) {
    std::vector<const Entry*> given;
    for (const Entry& entry : strategy.entries) {
      if (entry.value.kind == Value::Kind::null) continue;
      if (std::ranges::find(kinds, entry.key) != std::end(kinds)) given.push_back(&entry);
    }
    warn_others(strategy);
    if (given.size() != 1) {
      error(strategy.at, given.empty() ? "a strategy is required, one of fixed_window, fixed_window_custom_counter, "
                                         "concurrent and header_based"
                                       : "`" + given[0]->key + "` and `" + given[1]->key + "` exclude each other");
      return std::nullopt;
    }
    const Entry& entry = *given.front();
    if (entry.key == "allocation_percentage") return read_allocation(entry);
    if (!reader_.map(entry.value)) return std::nullopt;
    if (entry.key == "concurrent") return read_concurrent(entry.value);
    if (entry.key == "header_based")
      return read_headers(entry.value, {"quota_header", "reset_header", "retry_after_header"});
    return read_window(entry);
  }

 private:
  struct HeaderKeys {
    std::string_view quota, reset, retry_after;
  };

  void error(Position at, std::string text) { reader_.error(at, "quota-strategy", std::move(text)); }

  void warn_others(const Value& strategy) {
    for (const Entry& entry : strategy.entries) {
      if (std::ranges::find(kinds, entry.key) != std::end(kinds)) continue;
      reader_.warn(entry.key_at, "unknown-key", "`" + entry.key + "` has no effect beside a strategy");
    }
  }

  std::optional<ReadStrategy> read_allocation(const Entry& entry) {
    if (!internal_) {
      error(entry.key_at, "`allocation_percentage` is for internal limits alone");
      return std::nullopt;
    }
    constexpr double whole = 100;
    ReadStrategy out;
    out.percentage = reader_.number(entry.value, {0, whole});
    return out.percentage ? std::optional(std::move(out)) : std::nullopt;
  }

  std::optional<ReadStrategy> read_concurrent(const Value& value) {
    constexpr std::string_view keys[] = {"max_request_count", "request_expiration_sec", "gc_interval_sec"};
    reader_.warn_unknown_keys(value, keys);
    auto max = required_integer(value, "max_request_count", {1, std::numeric_limits<int64_t>::max()});
    Concurrent out;
    bool good = read_seconds(value, "request_expiration_sec", out.expiration);
    good = read_seconds(value, "gc_interval_sec", out.sweep) && good;
    if (!max || !good) return std::nullopt;
    out.max_requests = *max;
    return ReadStrategy{.strategy = out};
  }

  bool read_seconds(const Value& value, std::string_view key, std::chrono::nanoseconds& out) {
    const Value* given = value.get(key);
    if (given == nullptr) return true;
    auto seconds = reader_.number(*given, {1e-9, largest_seconds});
    if (seconds) out = to_nanoseconds(*seconds);
    return seconds.has_value();
  }

  std::optional<ReadStrategy> read_headers(const Value& value, const HeaderKeys& names) {
    const std::string_view keys[] = {names.quota, names.reset, names.retry_after};
    reader_.warn_unknown_keys(value, keys);
    HeaderBased out;
    bool good = true;
    auto text = [&](std::string_view key, std::string& member) {
      const Value* given = value.get(key);
      if (given == nullptr) return;
      auto name = reader_.string(*given);
      good = good && name;
      if (name) member = lower_case(*name);
    };
    text(names.quota, out.quota_header);
    text(names.reset, out.reset_header);
    text(names.retry_after, out.retry_after_header);
    if (good && out.quota_header.empty()) {
      error(value.at, "`" + std::string(names.quota) + "` is required");
      return std::nullopt;
    }
    return good ? std::optional(ReadStrategy{.strategy = std::move(out)}) : std::nullopt;
  }

  // fixed_window and its spellings.
  std::optional<ReadStrategy> read_window(const Entry& entry) {
    const Value* inner = entry.key == "fixed_window" ? entry.value.get("static") : nullptr;
    const Value* dynamic = entry.key == "fixed_window" ? entry.value.get("dynamic") : nullptr;
    if (inner != nullptr && dynamic != nullptr) {
      error(entry.key_at, "`static` and `dynamic` exclude each other");
      return std::nullopt;
    }
    if (inner != nullptr || dynamic != nullptr) warn_beside_form(entry.value);
    if (dynamic != nullptr && reader_.map(*dynamic)) {
      reader_.note(entry.key_at, "dialect", "`fixed_window.dynamic` is read as `header_based`");
      return read_headers(*dynamic, {"remaining_header", "reset_time_header", "retry_after_header"});
    }
    if (inner != nullptr && reader_.map(*inner)) {
      reader_.note(entry.key_at, "dialect", "`fixed_window.static` is read as `fixed_window`");
      return read_fields(*inner, false);
    }
    if (entry.key == "fixed_window_llm")
      reader_.note(entry.key_at, "dialect", "`fixed_window_llm` is read as `fixed_window_custom_counter`");
    return read_fields(entry.value, entry.key != "fixed_window", entry.key == "fixed_window_llm");
  }

  void warn_beside_form(const Value& window) {
    for (const Entry& other : window.entries)
      if (other.key != "static" && other.key != "dynamic")
        reader_.warn(other.key_at, "unknown-key", "`" + other.key + "` has no effect beside `static` or `dynamic`");
  }

  std::optional<ReadStrategy> read_fields(const Value& value, bool custom, bool tokens = false) {
    constexpr std::string_view units[] = {"second", "minute", "hour", "day", "month"};
    constexpr std::string_view plain_keys[] = {
        "max", "interval", "interval_unit", "group_by_header", "monthly_renewal", "spillover"};
    constexpr std::string_view custom_keys[] = {
        "max", "interval", "interval_unit", "group_by_header", "monthly_renewal", "spillover", "counter_value_path"};
    reader_.warn_unknown_keys(value, custom ? std::span<const std::string_view>(custom_keys) : plain_keys);
    ReadStrategy out;
    FixedWindow window;
    auto max = required_integer(value, "max", {1, largest_max});
    auto interval = required_integer(value, "interval", {1, 1'000'000'000});
    const Value* unit_value = value.get("interval_unit");
    if (unit_value == nullptr) error(value.at, "`interval_unit` is required: second, minute, hour, day or month");
    auto unit = unit_value == nullptr ? std::nullopt : reader_.choice(*unit_value, units);
    bool good =
        max && interval && unit && read_group(value, out) && read_renewal(value, out) && read_spillover(value, window);
    if (custom) good = read_counter(value, tokens, window, out) && good;
    if (!good) return std::nullopt;
    window.max = *max;
    window.interval = *interval;
    window.unit = static_cast<Unit>(*unit);
    out.strategy = std::move(window);
    return out;
  }

  std::optional<int64_t> required_integer(const Value& value, std::string_view key, Range<int64_t> range) {
    const Value* given = value.get(key);
    if (given == nullptr) {
      error(value.at, "`" + std::string(key) + "` is required");
      return std::nullopt;
    }
    return reader_.integer(*given, range);
  }

  bool read_group(const Value& value, ReadStrategy& out) {
    const Entry* entry = value.find("group_by_header");
    if (entry == nullptr || entry->value.kind == Value::Kind::null) return true;
    auto name = reader_.string(entry->value);
    if (name) out.group_by_header = lower_case(*name);
    return name.has_value();
  }

  bool read_renewal(const Value& value, ReadStrategy& out) {
    constexpr std::string_view keys[] = {"day", "hour", "minute", "timezone"};
    constexpr std::string_view zones[] = {"UTC", "Local"};
    const Value* given = value.get("monthly_renewal");
    if (given == nullptr) return true;
    if (!reader_.map(*given)) return false;
    reader_.warn_unknown_keys(*given, keys);
    MonthlyRenewal renewal;
    bool good = true;
    auto number = [&](std::string_view key, Range<int64_t> range, int& member) {
      const Value* part = given->get(key);
      if (part == nullptr) return;
      auto read = reader_.integer(*part, range);
      good = good && read;
      if (read) member = static_cast<int>(*read);
    };
    number("day", {1, 31}, renewal.day);
    number("hour", {0, 23}, renewal.hour);
    number("minute", {0, 59}, renewal.minute);
    if (const Value* zone = given->get("timezone")) {
      auto read = reader_.choice(*zone, zones);
      good = good && read;
      renewal.local = read == size_t{1};
    }
    if (good) out.renewal = renewal;
    return good;
  }

  bool read_spillover(const Value& value, FixedWindow& window) {
    constexpr std::string_view keys[] = {"max"};
    const Value* given = value.get("spillover");
    if (given == nullptr) return true;
    if (!reader_.map(*given)) return false;
    reader_.warn_unknown_keys(*given, keys);
    window.spillover_max = required_integer(*given, "max", {1, largest_max});
    return window.spillover_max.has_value();
  }

  bool read_counter(const Value& value, bool tokens, FixedWindow& window, ReadStrategy& out) {
    const Value* given = value.get("counter_value_path");
    if (given == nullptr && !tokens) {
      error(value.at, "`counter_value_path` is required");
      return false;
    }
    auto text = given == nullptr ? std::optional(std::string(estimated_tokens)) : reader_.string(*given);
    if (!text) return false;
    auto path = Expression::parse(*text);
    if (!path) {
      reader_.error(
          given->at, path.error().id,
          "\"" + *text + "\": " + path.error().text + " (offset " + std::to_string(path.error().offset) + ")");
      return false;
    }
    window.counter = path->root() == Root::request ? Counter::request : Counter::response;
    window.counter_path = *text;
    out.counter = *std::move(path);
    return true;
  }

  bool internal_;
  Reader& reader_;
};

}  // namespace

std::optional<ReadStrategy> read_strategy(const Value& strategy, bool internal, Reader& reader) {
  return StrategyReader(internal, reader).read(strategy);
}

}  // namespace lunar
