#include "flowengine/explain/schema_flow.h"
#include "flowengine/explain/schema_parts.h"

namespace lunar::schema {
namespace {

constexpr int64_t largest_max = int64_t{1} << 53;
constexpr int64_t largest_interval = 1'000'000'000;
constexpr double least_seconds = 1e-9;
constexpr double largest_seconds = 1e9;

Json renewal() {
  constexpr std::string_view zones[] = {"UTC", "Local"};
  return mapping({{"day", integer(1, 31, "of the month; one that it lacks is its last")},
                  {"hour", integer(0, 23, "")},
                  {"minute", integer(0, 59, "")},
                  {"timezone", choice(zones, "UTC where it is absent")}},
                 {}, "instants at which windows close");
}

Json window(std::string_view help) {
  constexpr std::string_view units[] = {"second", "minute", "hour", "day", "month"};
  return mapping({{"max", integer(1, largest_max, "admissions, or the amount, of one window")},
                  {"interval", integer(1, largest_interval, "units of a window")},
                  {"interval_unit", choice(units, "a month is 30 days, without monthly_renewal")},
                  {"group_by_header", text("a window for each value of this request header; \"\": none")},
                  {"monthly_renewal", reference("monthly_renewal")},
                  {"spillover", mapping({{"max", integer(1, largest_max, "what a window may inherit")}}, {"max"}, "")}},
                 {"max", "interval", "interval_unit"}, help);
}

Json counting_window(std::string_view help, bool path_required) {
  Json out = window(help);
  out["properties"]["counter_value_path"] = word("JSONPath of the amount that a transaction counts");
  if (path_required) out["required"].push_back("counter_value_path");
  return out;
}

Json headers(std::string_view quota, std::string_view reset, std::string_view help) {
  return mapping({{quota, word("response header with what is left")},
                  {reset, word("response header with the time of the reset")},
                  {"retry_after_header", word("response header with the end of a block")}},
                 {quota}, help);
}

Json concurrent() {
  return mapping(
      {{"max_request_count", integer(1, std::numeric_limits<int64_t>::max(), "transactions at a time")},
       {"request_expiration_sec", number(least_seconds, largest_seconds, "60 where it is absent")},
       {"gc_interval_sec", number(least_seconds, largest_seconds, "period of the sweep; 30 where it is absent")}},
      {"max_request_count"}, "transactions in flight");
}

// Exactly one of them.
Json strategy(bool internal) {
  const Json plain = window("admissions in windows");
  const Json legacy = mapping({{"static", reference("fixed_window")}}, {"static"}, "another spelling");
  const Json dynamic = mapping({{"dynamic", headers("remaining_header", "reset_time_header", "of header_based")}},
                               {"dynamic"}, "another spelling of header_based");
  Json out = mapping({{"fixed_window", Json{{"anyOf", Json::array({reference("fixed_window"), legacy, dynamic})}}},
                      {"fixed_window_custom_counter", counting_window("amounts in windows", true)},
                      {"fixed_window_llm", counting_window("estimated tokens in windows", false)},
                      {"concurrent", concurrent()},
                      {"header_based", headers("quota_header", "reset_header", "as the provider's answers say")}},
                     {}, "exactly one");
  if (internal) out["properties"]["allocation_percentage"] = number(0, 100, "a share of the parent's window");
  out["minProperties"] = out["maxProperties"] = 1;
  return out;
}

}  // namespace

Json quota_file(Json& definitions) {
  define_filter(definitions);
  definitions["monthly_renewal"] = renewal();
  definitions["fixed_window"] = window("admissions in windows");
  definitions["strategy"] = strategy(false);
  definitions["internal_strategy"] = strategy(true);
  const Json quota = mapping(
      {{"id", word("unique over all files")}, {"filter", reference("filter")}, {"strategy", reference("strategy")}},
      {"id", "filter", "strategy"}, "a quota");
  const Json limit = mapping({{"id", word("unique over all files")},
                              {"parent_id", word("a quota or internal limit above")},
                              {"filter", reference("filter_keys")},
                              {"strategy", reference("internal_strategy")}},
                             {"id", "parent_id", "strategy"}, "a limit inside of another one");
  Json quotas = list(quota, "quotas of one host");
  quotas["minItems"] = 1;
  return mapping({{"quotas", std::move(quotas)}, {"internal_limits", list(limit, "shares of the quotas")}}, {"quotas"},
                 "");
}

}  // namespace lunar::schema
