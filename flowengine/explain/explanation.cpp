#include "flowengine/explain/explanation.h"

#include <algorithm>
#include <array>

#include "flowengine/explain/filter_text.h"
#include "flowengine/expr/query_string.h"
#include "flowengine/run/selection.h"

namespace lunar {
namespace {

std::string in_quotes(std::string_view text) { return "\"" + std::string(text) + "\""; }

// What the request holds under a name, in words.
std::string found_text(const std::vector<std::string>& values) {
  if (values.empty()) return "it is absent";
  std::vector<std::string> shown;
  for (const std::string& value : values) shown.push_back(in_quotes(value));
  return "it is " + joined(shown, ", ");
}

std::vector<std::string> header_values(const Message& message, std::string_view name) {
  std::vector<std::string> out;
  for (const HeaderField& field : message.fields)
    if (equal_ignoring_case(field.name, name)) out.emplace_back(field.value);
  return out;
}

std::vector<std::string> query_values(const Request& request, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& [key, value] : parse_query_string(request.query))
    if (key == name) out.push_back(value);
  return out;
}

std::vector<std::string> param_values(const PathParams& params, std::string_view name) {
  std::vector<std::string> out;
  for (const auto& [key, value] : params)
    if (key == name) out.push_back(value);
  return out;
}

template <class Values>
std::string named_reason(const std::vector<NamedCondition>& entries, Values values) {
  std::vector<std::string> out;
  for (const NamedCondition& entry : entries)
    out.push_back(condition_text(entry.name, entry.condition) + " (" + found_text(values(entry.name)) + ")");
  return "wanted " + joined(out, " or ");
}

struct Subject {
  const Request& request;
  View& view;
  const PathParams& params;
  const Flow& flow;
  const Declarations& declarations;
};

std::string methods_reason(const Subject& subject) {
  return std::string(subject.request.method) + " is not among " + joined(subject.flow.filter.methods, ", ");
}

// The first one that does not hold: all of them must.
std::string headers_reason(const Subject& subject) {
  for (const NamedCondition& entry : subject.flow.filter.headers) {
    if (all_fields({entry}, subject.request)) continue;
    return named_reason({entry}, [&](std::string_view name) { return header_values(subject.request, name); });
  }
  return "";
}

std::string query_reason(const Subject& subject) {
  return named_reason(subject.flow.filter.query_params,
                      [&](std::string_view name) { return query_values(subject.request, name); });
}

std::string params_reason(const Subject& subject) {
  return named_reason(subject.flow.filter.path_params,
                      [&](std::string_view name) { return param_values(subject.params, name); });
}

std::string caller_reason(const Subject& subject, std::string_view key, const std::vector<std::string>& known) {
  std::vector<std::string> given;
  for (const std::string& text : known)
    if (!text.empty()) given.push_back(in_quotes(text));
  const std::string wanted = "wanted " + joined(subject.declarations.filter_texts(subject.flow.name, key), " or ");
  return wanted + (given.empty() ? "; the caller is not known" : "; the caller is " + joined(given, ", "));
}

std::string processes_reason(const Subject& subject) {
  const Caller* caller = subject.request.caller;
  return caller_reason(subject, "processes",
                       caller == nullptr ? std::vector<std::string>{} : std::vector{caller->comm, caller->exe});
}

std::string units_reason(const Subject& subject) {
  const Caller* caller = subject.request.caller;
  return caller_reason(subject, "units",
                       caller == nullptr ? std::vector<std::string>{} : std::vector{caller->unit, caller->container});
}

std::string expressions_reason(const std::vector<ExpressionEntry>& entries, View& view) {
  std::vector<std::string> out;
  for (const ExpressionEntry& entry : entries) {
    const auto text = entry.expression.first_text(view);
    out.push_back(expression_text(entry) + (text ? " (it is " + in_quotes(*text) + ")" : " (it selects nothing)"));
  }
  return "wanted " + joined(out, " or ");
}

std::string request_expressions_reason(const Subject& subject) {
  return expressions_reason(subject.flow.filter.request_expressions, subject.view);
}

std::string body_reason(const Subject& subject) { return expressions_reason(subject.flow.filter.body, subject.view); }

// One key of the request side: a filter that has nothing else, and why it says no.
struct FilterKey {
  const char* name;
  Filter (*alone)(const Filter& all);
  std::string (*reason)(const Subject& subject);
};

constexpr std::array filter_keys{
    FilterKey{"methods", [](const Filter& all) { return Filter{.methods = all.methods}; }, methods_reason},
    FilterKey{"headers", [](const Filter& all) { return Filter{.headers = all.headers}; }, headers_reason},
    FilterKey{"query_params", [](const Filter& all) { return Filter{.query_params = all.query_params}; }, query_reason},
    FilterKey{"path_params", [](const Filter& all) { return Filter{.path_params = all.path_params}; }, params_reason},
    FilterKey{"processes", [](const Filter& all) { return Filter{.processes = all.processes}; }, processes_reason},
    FilterKey{"units", [](const Filter& all) { return Filter{.units = all.units}; }, units_reason},
    FilterKey{"expressions", [](const Filter& all) { return Filter{.request_expressions = all.request_expressions}; },
              request_expressions_reason},
    FilterKey{"body", [](const Filter& all) { return Filter{.body = all.body}; }, body_reason},
};

// Of each flow and quota node, its most specific pattern that matches.
struct BestPatterns {
  std::vector<std::optional<uint32_t>> flows, quotas;  // indexes in Plan::owners

  BestPatterns(const Plan& plan, const Request& request) : flows(plan.flows.size()), quotas(plan.quota_rules.size()) {
    std::vector<uint32_t> found;
    plan.selector.find(request.host, request.port, request.path, found);
    std::ranges::sort(found);
    for (const uint32_t pattern : found) {
      const PatternOwner& owner = plan.owners[pattern];
      auto& best = (owner.quota ? quotas : flows)[owner.index];
      if (!best || plan.owners[*best].rank < owner.rank) best = pattern;
    }
  }
};

bool fill(Request& out, const SimulatedRequest& given) {
  const auto target = parse_absolute_target(given.url.contains("://") ? given.url : "http://" + given.url);
  if (!target) return false;
  const std::string_view origin = target->origin_form;
  const size_t mark = origin.find('?');
  out.method = given.method;
  out.scheme = target->scheme;
  out.host = target->authority.host;
  out.port = target->port();
  out.path = origin.substr(0, mark);
  out.query = mark == std::string_view::npos ? std::string_view{} : origin.substr(mark + 1);
  const std::string host = target->authority.text();
  out.fields.push_back({"Host", host});
  out.consumer_tag = given.consumer_tag;
  for (const auto& [name, value] : given.headers) {
    out.fields.push_back({name, value});
    if (equal_ignoring_case(name, "x-lunar-consumer-tag")) out.consumer_tag = value;
  }
  out.caller = &given.caller;
  out.transparent = true;
  out.own();
  out.body = out.keep(given.body.value_or(""));
  out.size = out.body->size();
  return true;
}

class Explainer {
 public:
  Explainer(const Plan& plan, const Request& request, const Declarations& declarations)
      : plan_(plan), request_(request), declarations_(declarations), view_(request, nullptr), best_(plan, request) {}

  Explanation run() {
    for (uint32_t i = 0; i < plan_.flows.size(); ++i) decide(i);
    std::ranges::sort(out_.selected, {}, [this](const SelectedExplanation& one) {
      return std::pair(plan_.owners[*best_.flows[one.flow]].rank, one.flow);
    });
    for (uint32_t i = 0; i < plan_.quota_rules.size(); ++i) decide_quota(i);
    return std::move(out_);
  }

 private:
  void decide(uint32_t index) {
    const Flow& flow = plan_.flows[index];
    if (!best_.flows[index]) {
      std::vector<std::string> patterns;
      for (const UrlPattern& pattern : flow.patterns) patterns.push_back(pattern.text());
      out_.rejected.push_back({index, "url", request_.url() + " does not match " + joined(patterns, " or ")});
      return;
    }
    const uint32_t pattern = *best_.flows[index];
    PathParams params = plan_.selector.params_of(pattern, request_.host, request_.path);
    for (const FilterKey& key : filter_keys) {
      if (holds(key.alone(flow.filter), params)) continue;
      view_.set_path_params(&params);
      const Subject subject{request_, view_, params, flow, declarations_};
      out_.rejected.push_back({index, key.name, key.reason(subject)});
      view_.set_path_params(nullptr);
      return;
    }
    const bool undecided = flow.filter.request(view_, request_, params, BodyKnown::pending) == Match::needs_body;
    view_.set_path_params(nullptr);
    out_.selected.push_back({index, flow.patterns[plan_.owners[pattern].position].text(), std::move(params),
                             undecided || flow.body.hold_request});
  }

  bool holds(const Filter& filter, const PathParams& params) {
    const Match match = filter.request(view_, request_, params, BodyKnown::settled);
    view_.set_path_params(nullptr);
    return match == Match::yes;
  }

  void decide_quota(uint32_t node) {
    if (!best_.quotas[node]) return;
    const QuotaRule& rule = plan_.quota_rules[node];
    const PathParams params = plan_.selector.params_of(*best_.quotas[node], request_.host, request_.path);
    if (holds(rule.filter, params)) out_.quotas.push_back({plan_.quotas.nodes[node].id, rule.automatic});
  }

  const Plan& plan_;
  const Request& request_;
  const Declarations& declarations_;
  View view_;
  BestPatterns best_;
  Explanation out_;
};

}  // namespace

Result<Explanation> explain(const Plan& plan, const SimulatedRequest& call, const Declarations& declarations) {
  Request request;
  if (!fill(request, call)) return fail(in_quotes(call.url) + " is no URL; write it as https://host/path");
  return Explainer(plan, request, declarations).run();
}

}  // namespace lunar
