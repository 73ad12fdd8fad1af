#include "flowengine/compile/filter_compiler.h"

#include <algorithm>

#include "flowengine/plan/condition_reader.h"

namespace lunar {
namespace {

constexpr std::string_view keys[] = {"name",        "url",
                                     "urls",        "path",
                                     "method",      "methods",
                                     "headers",     "query_params",
                                     "path_params", "body",
                                     "expressions", "processes",
                                     "units",       "response_headers",
                                     "status_code", "sample_percentage"};

// Where the text was written, for findings about it.
struct UrlText {
  std::string text;
  Position at;
};

class FilterCompiler {
 public:
  FilterCompiler(const Value& value, FilterRules rules, Reader& reader)
      : value_(value), rules_(rules), reader_(reader) {}

  CompiledFilter compile() {
    reader_.warn_unknown_keys(value_, keys);
    if (const Value* name = value_.get("name")) (void)reader_.string(*name);
    compile_urls();
    read_methods();
    Filter& filter = out_.filter;
    read_named("headers", filter.headers);
    read_named("query_params", filter.query_params);
    read_named("path_params", filter.path_params);
    read_named("response_headers", filter.response_headers);
    if (const Value* body = value_.get("body")) filter.body = read_body_entries(*body, reader_);
    read_expression_sets();
    read_globs("processes", filter.processes);
    read_globs("units", filter.units);
    if (const Value* status = value_.get("status_code")) filter.status = read_status_codes(*status, reader_);
    read_sample();
    warn_unknown_params();
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::vector<UrlText> texts(std::string_view key) {
    std::vector<UrlText> out;
    const Value* value = value_.get(key);
    auto items = value == nullptr ? std::nullopt : reader_.list(*value, Reader::Coercion::silent);
    if (!items) return out;
    for (const Value* item : *items)
      if (auto text = reader_.string(*item)) out.push_back({*std::move(text), item->at});
    return out;
  }

  void compile_urls() {
    std::vector<UrlText> urls = texts("url");
    std::ranges::move(texts("urls"), std::back_inserter(urls));
    const Value* path = value_.get("path");
    bool given = value_.get("url") != nullptr || value_.get("urls") != nullptr;
    if (!given && path == nullptr && rules_.needs_url) {
      reader_.error(value_.at, rules_.missing_url_id, "a filter needs `url`, `urls` or `path`");
      return;
    }
    std::vector<std::string> seen;
    for (const UrlText& url : urls) {
      if (std::ranges::find(seen, url.text) != seen.end()) continue;
      seen.push_back(url.text);
      add_pattern(url);
    }
    if (path != nullptr) apply_path(*path, given);
  }

  // Appended to a host-only `url`; without `url` it concerns any host.
  void apply_path(const Value& path, bool given) {
    auto text = reader_.string(path);
    if (!text) return;
    auto pattern = UrlPattern::parse_path(text->starts_with('/') ? *text : "/" + *text);
    if (!pattern) return fault(path.at, *text, pattern.error());
    if (!given) {
      out_.hosts.emplace_back("*");
      out_.host_positions.push_back(path.at);
      out_.patterns.push_back(*std::move(pattern));
      return;
    }
    for (UrlPattern& url : out_.patterns) {
      if (url.has_path()) {
        reader_.warn(path.at, "dialect", "`path` is ignored beside a `url` that has a path");
      } else {
        url = url.with_path(*pattern);
      }
    }
  }

  void fault(Position at, const std::string& text, const ExpressionFault& found) {
    reader_.error(at, found.id, "\"" + text + "\": " + found.text + " (offset " + std::to_string(found.offset) + ")");
  }

  void add_pattern(const UrlText& url) {
    auto pattern = UrlPattern::parse(url.text);
    if (!pattern) return fault(url.at, url.text, pattern.error());
    const UrlPattern::Remarks& remarks = pattern->remarks();
    if (remarks.scheme_dropped) reader_.warn(url.at, "bad-url", "the scheme of \"" + url.text + "\" has no effect");
    if (remarks.query_dropped)
      reader_.warn(url.at, "bad-url", "what follows `?` in \"" + url.text + "\" has no effect; use `query_params`");
    if (remarks.empty) reader_.warn(url.at, "bad-url", "an empty text is every URL; write \"*\" to say so");
    if (remarks.host_only && value_.get("path") == nullptr)
      reader_.note(url.at, "host-only-pattern",
                   "\"" + url.text + "\" covers every path of it, as \"" + url.text + "/*\"");
    size_t scheme = url.text.find("://");
    size_t host = scheme == std::string::npos ? 0 : scheme + 3;
    out_.hosts.push_back(lower_case(url.text.substr(host, url.text.find('/', host) - host)));
    out_.host_positions.push_back(url.at);
    out_.patterns.push_back(*std::move(pattern));
  }

  void read_methods() {
    std::vector<UrlText> given = texts("method");
    std::ranges::move(texts("methods"), std::back_inserter(given));
    auto& methods = out_.filter.methods;
    for (const UrlText& method : given) {
      std::string name = upper_case(method.text);
      if (std::ranges::find(methods, name) == methods.end()) methods.push_back(std::move(name));
    }
  }

  void read_named(std::string_view key, std::vector<NamedCondition>& out) {
    if (const Value* entries = value_.get(key)) out = read_named_conditions(*entries, reader_);
  }

  void read_expression_sets() {
    const Value* entries = value_.get("expressions");
    if (entries == nullptr) return;
    for (ExpressionEntry& entry : read_expressions(*entries, reader_)) {
      bool of_request = entry.expression.root() == Root::request;
      (of_request ? out_.filter.request_expressions : out_.filter.response_expressions).push_back(std::move(entry));
    }
  }

  void read_globs(std::string_view key, std::vector<Glob>& out) {
    for (const UrlText& text : texts(key)) {
      auto glob = Glob::parse(text.text);
      if (glob) {
        out.push_back(*std::move(glob));
      } else {
        reader_.error(text.at, "bad-regex", "\"" + text.text + "\": " + glob.error().text);
      }
    }
  }

  void read_sample() {
    constexpr double whole = 100;
    const Value* value = value_.get("sample_percentage");
    auto share = value == nullptr ? std::nullopt : reader_.number(*value, {0, whole});
    if (!share) return;
    out_.filter.sample_percentage = *share;
    if (*share == 0)
      reader_.warn(value->at, "out-of-range", "0 means always; leave the key out, or do not load the flow");
  }

  void warn_unknown_params() {
    const Value* entries = value_.get("path_params");
    if (entries == nullptr) return;
    for (const NamedCondition& entry : out_.filter.path_params) {
      bool known = std::ranges::any_of(out_.patterns, [&](const UrlPattern& pattern) {
        const auto parameters = pattern.parameters();
        return std::ranges::find(parameters, entry.name, &UrlPattern::Parameter::name) != parameters.end();
      });
      if (!known)
        reader_.warn(entries->at, "unknown-key", "no URL of this filter has a parameter `" + entry.name + "`");
    }
  }

  const Value& value_;
  FilterRules rules_;
  Reader& reader_;
  CompiledFilter out_;
};

template <class List>
void inherit_list(List& child, const List& parent) {
  if (child.empty()) child = parent;
}

}  // namespace

CompiledFilter compile_filter(const Value& value, FilterRules rules, Reader& reader) {
  return FilterCompiler(value, rules, reader).compile();
}

void inherit_filter(CompiledFilter& child, const CompiledFilter& parent) {
  inherit_list(child.patterns, parent.patterns);
  Filter& own = child.filter;
  const Filter& other = parent.filter;
  inherit_list(own.methods, other.methods);
  inherit_list(own.headers, other.headers);
  inherit_list(own.query_params, other.query_params);
  inherit_list(own.path_params, other.path_params);
  inherit_list(own.body, other.body);
  inherit_list(own.request_expressions, other.request_expressions);
  inherit_list(own.processes, other.processes);
  inherit_list(own.units, other.units);
  inherit_list(own.response_headers, other.response_headers);
  inherit_list(own.response_expressions, other.response_expressions);
  inherit_list(own.status, other.status);
  if (own.sample_percentage == 0) own.sample_percentage = other.sample_percentage;
}

}  // namespace lunar
