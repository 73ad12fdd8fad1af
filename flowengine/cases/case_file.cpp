#include "flowengine/cases/case_file.h"

#include <algorithm>

#include "flowengine/expr/json.h"
#include "flowengine/http_date.h"
#include "flowengine/processors/types.h"
#include "flowengine/quantity.h"
#include "flowengine/spec/document.h"
#include "flowengine/spec/reader.h"

namespace lunar {
namespace {

constexpr std::string_view step_keys[] = {"request", "as", "provider", "expect", "advance", "finish", "leave", "check"};
constexpr std::string_view expect_keys[] = {"status",   "headers", "body",       "json",    "generated", "sent",
                                            "attempts", "flows",   "blocked_by", "waiting", "waited"};
constexpr auto start_of_cases = std::chrono::sys_days{std::chrono::year{2025} / 6 / 15};

std::string shown(std::string_view text) { return "\"" + std::string(text) + "\""; }

const std::string* find_header(const HeaderList& headers, std::string_view name) {
  auto found = std::ranges::find_if(headers, [&](const auto& field) { return equal_ignoring_case(field.first, name); });
  return found == headers.end() ? nullptr : &found->second;
}

class CaseRunner {
 public:
  CaseRunner(const std::shared_ptr<const Plan>& plan, const Simulation::ScriptRunner& scripts, Reader& reader)
      : simulation_(plan, {SteadyTime{}, WallTime(start_of_cases)}, scripts), reader_(reader) {}

  std::vector<std::string> run(const Value& steps) {
    auto items = reader_.list(steps);
    for (const Value* item : items.value_or(std::vector<const Value*>{}))
      if (reader_.map(*item)) step(*item);
    return std::move(differences_);
  }

 private:
  void step(const Value& step) {
    line_ = step.at.line;
    reader_.warn_unknown_keys(step, step_keys);
    std::string name;
    if (const Value* duration = step.get("advance")) {
      auto text = reader_.string(*duration);
      auto parsed = text ? parse_duration(*text) : std::nullopt;
      if (parsed) return simulation_.advance(*parsed);
      return reader_.error(duration->at, "bad-type", "expected a duration such as 10s, found " + describe(*duration));
    }
    if (const Value* request = step.get("request")) {
      name = text_of(step.get("as")).value_or("step " + std::to_string(line_));
      known_.push_back(name);
      simulation_.send(name, read_request(*request));
      answer(name, step.get("provider"));
    } else if (auto finished = known_call(step.get("finish"))) {
      name = *finished;
      answer(name, step.get("provider"));
    } else if (auto left = known_call(step.get("leave"))) {
      return simulation_.leave(*left);
    } else if (auto checked = known_call(step.get("check"))) {
      name = *checked;
      if (step.get("provider") != nullptr) answer(name, step.get("provider"));
    } else {
      return reader_.error(step.at, "param-entry", "a step has one of request, finish, leave, check and advance");
    }
    if (const Value* expected = step.get("expect"); expected != nullptr && reader_.map(*expected))
      expect(name, *expected);
  }

  std::optional<std::string> text_of(const Value* value) {
    return value == nullptr ? std::nullopt : reader_.string(*value, Reader::Coercion::silent);
  }

  std::optional<std::string> known_call(const Value* value) {
    auto name = text_of(value);
    if (!name || std::ranges::find(known_, *name) != known_.end()) return name;
    reader_.error(value->at, "out-of-range", "no step above has `as: " + *name + "`");
    return std::nullopt;
  }

  HeaderList read_headers(const Value* headers) {
    HeaderList out;
    if (headers == nullptr || !reader_.map(*headers)) return out;
    for (const Entry& entry : headers->entries) {
      bool several = entry.value.kind == Value::Kind::list;
      if (!several) {
        out.emplace_back(entry.key, entry.value.text);
        continue;
      }
      for (const Value& item : entry.value.items) out.emplace_back(entry.key, item.text);
    }
    return out;
  }

  static std::string read_body(const Value& body) {
    return body.kind == Value::Kind::scalar ? body.text : to_json(body).dump();
  }

  SimulatedRequest read_request(const Value& given) {
    constexpr std::string_view keys[] = {"method", "url", "headers", "body", "process", "consumer_tag"};
    SimulatedRequest out;
    if (given.kind == Value::Kind::scalar) {
      size_t space = given.text.find(' ');
      if (space != std::string::npos) out.method = given.text.substr(0, space);
      out.url = given.text.substr(space == std::string::npos ? 0 : space + 1);
      return out;
    }
    if (!reader_.map(given)) return out;
    reader_.warn_unknown_keys(given, keys);
    out.method = text_of(given.get("method")).value_or("GET");
    out.url = text_of(given.get("url")).value_or("");
    out.headers = read_headers(given.get("headers"));
    out.consumer_tag = text_of(given.get("consumer_tag")).value_or("");
    if (const Value* body = given.get("body")) out.body = read_body(*body);
    if (const Value* process = given.get("process"); process != nullptr && reader_.map(*process)) {
      out.caller.comm = text_of(process->get("comm")).value_or("");
      out.caller.exe = text_of(process->get("exe")).value_or("");
      out.caller.unit = text_of(process->get("unit")).value_or("");
      out.caller.container = text_of(process->get("container")).value_or("");
    }
    return out;
  }

  SimulatedResponse read_response(const Value& given) {
    constexpr std::string_view keys[] = {"status", "headers", "body"};
    SimulatedResponse out;
    if (given.kind == Value::Kind::scalar) {
      out.unreachable = given.text == "unreachable";
      if (!out.unreachable) out.status = static_cast<int>(reader_.integer(given, {100, 599}).value_or(200));
      return out;
    }
    if (!reader_.map(given)) return out;
    reader_.warn_unknown_keys(given, keys);
    if (const Value* status = given.get("status"))
      out.status = static_cast<int>(reader_.integer(*status, {100, 599}).value_or(200));
    out.headers = read_headers(given.get("headers"));
    if (const Value* body = given.get("body")) out.body = read_body(*body);
    return out;
  }

  // One answer for each attempt; the last one for all further ones. `hold`: none yet.
  void answer(const std::string& name, const Value* given) {
    constexpr int most_attempts = 1000;
    bool held = given != nullptr && given->kind == Value::Kind::scalar && given->text == "hold";
    std::vector<SimulatedResponse> answers;
    if (given == nullptr) {
      answers.emplace_back();
    } else if (given->kind == Value::Kind::list) {
      for (const Value& item : given->items) answers.push_back(read_response(item));
    } else if (!held) {
      answers.push_back(read_response(*given));
    }
    for (int i = 0; i < most_attempts && !answers.empty() && !simulation_.outcomes(name).done; ++i) {
      if (simulation_.at_provider(name)) {
        simulation_.answer(name, answers[std::min<size_t>(static_cast<size_t>(i), answers.size() - 1)]);
      } else if (given != nullptr && given->kind == Value::Kind::list) {
        simulation_.advance(std::chrono::seconds(1));
        --i;
        if (++idle_ > most_attempts) break;
      } else {
        break;
      }
    }
  }

  void differs(const std::string& what) { differences_.push_back("line " + std::to_string(line_) + ": " + what); }

  void compare(std::string_view what, std::string_view wanted, std::string_view found) {
    if (wanted != found) differs(std::string(what) + ": expected " + shown(wanted) + ", found " + shown(found));
  }

  void compare_headers(std::string_view what, const Value& wanted, const HeaderList& found) {
    if (!reader_.map(wanted)) return;
    for (const Entry& entry : wanted.entries) {
      const std::string* value = find_header(found, entry.key);
      const std::string label = std::string(what) + " " + entry.key;
      if (entry.value.kind == Value::Kind::null) {
        if (value != nullptr) differs(label + ": expected none, found " + shown(*value));
      } else if (value == nullptr) {
        differs(label + ": expected " + shown(entry.value.text) + ", found none");
      } else {
        compare(label, entry.value.text, *value);
      }
    }
  }

  void compare_json(std::string_view what, const Value& wanted, std::string_view found) {
    auto parsed = parse_json(found);
    const Json expected = to_json(wanted);
    bool same = parsed && nlohmann::json(*parsed) == nlohmann::json(expected);
    if (!same) differs(std::string(what) + ": expected " + expected.dump() + ", found " + shown(found));
  }

  void expect(const std::string& name, const Value& wanted) {
    reader_.warn_unknown_keys(wanted, expect_keys);
    const Outcomes& found = simulation_.outcomes(name);
    bool waiting = false;
    if (const Value* value = wanted.get("waiting")) waiting = reader_.boolean(*value).value_or(false);
    if (waiting == found.done) differs(found.done ? "expected to wait, but it is done" : "it is still waiting");
    if (const Value* value = wanted.get("status")) compare("status", value->text, std::to_string(found.status));
    if (const Value* value = wanted.get("headers")) compare_headers("header", *value, found.headers);
    if (const Value* value = wanted.get("body")) compare("body", value->text, found.body);
    if (const Value* value = wanted.get("json")) compare_json("body", *value, found.body);
    if (const Value* value = wanted.get("generated")) {
      bool generated = find_header(found.headers, "x-lunar-generated") != nullptr;
      compare("generated", reader_.boolean(*value).value_or(false) ? "true" : "false", generated ? "true" : "false");
    }
    if (const Value* value = wanted.get("attempts"))
      compare("attempts", value->text, std::to_string(found.sent.size()));
    if (const Value* value = wanted.get("blocked_by"))
      compare("blocked by", value->text, found.blocked_by.value_or(""));
    if (const Value* value = wanted.get("flows")) compare_flows(*value, found);
    if (const Value* value = wanted.get("waited"))
      compare("waited", value->text, duration_text(std::chrono::round<std::chrono::milliseconds>(found.waited)));
    if (const Value* value = wanted.get("sent")) compare_sent(*value, found);
  }

  void compare_flows(const Value& wanted, const Outcomes& found) {
    std::string expected, seen;
    for (const std::string& flow : reader_.strings(wanted).value_or(std::vector<std::string>{})) expected += flow + " ";
    for (const std::string& flow : found.flows) seen += flow + " ";
    compare("flows", expected, seen);
  }

  void compare_sent(const Value& wanted, const Outcomes& found) {
    constexpr std::string_view keys[] = {"method", "url", "headers", "body", "json"};
    if (wanted.kind == Value::Kind::scalar) {
      bool some = reader_.boolean(wanted).value_or(false);
      if (some == found.sent.empty()) differs(some ? "nothing reached the provider" : "it reached the provider");
      return;
    }
    if (!reader_.map(wanted)) return;
    reader_.warn_unknown_keys(wanted, keys);
    if (found.sent.empty()) return differs("nothing reached the provider");
    const SimulatedRequest& sent = found.sent.back();
    if (const Value* value = wanted.get("method")) compare("sent method", value->text, sent.method);
    if (const Value* value = wanted.get("url")) compare("sent url", value->text, sent.url);
    if (const Value* value = wanted.get("headers")) compare_headers("sent header", *value, sent.headers);
    if (const Value* value = wanted.get("body")) compare("sent body", value->text, sent.body.value_or(""));
    if (const Value* value = wanted.get("json")) compare_json("sent body", *value, sent.body.value_or(""));
  }

  Simulation simulation_;
  Reader& reader_;
  std::vector<std::string> known_;
  std::vector<std::string> differences_;
  uint32_t line_ = 0;
  int idle_ = 0;
};

}  // namespace

std::vector<CaseResult> run_cases(std::string_view file, std::string_view text, const std::shared_ptr<const Plan>& plan,
                                  const Simulation::ScriptRunner& scripts, Diagnostics& out) {
  constexpr std::string_view keys[] = {"cases"};
  constexpr std::string_view case_keys[] = {"name", "steps"};
  std::vector<CaseResult> results;
  auto document = read_document(file, text, out);
  Reader reader(file, out);
  if (!document || !reader.map(*document)) return results;
  reader.warn_unknown_keys(*document, keys);
  const Value* cases = document->get("cases");
  if (cases == nullptr) {
    reader.error(document->at, "param-entry", "`cases` is required: a list of `name` and `steps`");
    return results;
  }
  auto items = reader.list(*cases);
  for (const Value* item : items.value_or(std::vector<const Value*>{})) {
    if (!reader.map(*item)) continue;
    reader.warn_unknown_keys(*item, case_keys);
    const Value* name = item->get("name");
    const Value* steps = item->get("steps");
    if (name == nullptr || steps == nullptr) {
      reader.error(item->at, "param-entry", "`name` and `steps` are required here");
      continue;
    }
    CaseResult result{.name = name->text};
    result.differences = CaseRunner(plan, scripts, reader).run(*steps);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace lunar
