#include "flowengine/compile/flow_reader.h"

#include <algorithm>
#include <array>

#include "flowengine/spelling.h"

namespace lunar {
namespace {

class FlowReader {
 public:
  FlowReader(const FlowFile& file, Surroundings& surroundings, std::vector<Instance>& instances, Diagnostics& out)
      : document_(file.document),
        surroundings_(surroundings),
        instances_(instances),
        reader_(file.path, out),
        out_(out) {
    draft_.file = file.path;
  }

  FlowDraft read() {
    const size_t before = out_.list().size();
    if (document_.kind == Value::Kind::null) {
      reader_.error({1, 1}, "flow-name-required", "the file is empty; a flow needs `name`, `filter` and `flow`");
    } else if (reader_.map(document_)) {
      read_keys();
    }
    draft_.good = !errors_since(before);
    return std::move(draft_);
  }

 private:
  void read_keys() {
    constexpr std::string_view keys[] = {"name", "id", "filter", "processors", "flow", "on_error", "mode"};
    constexpr std::string_view error_words[] = {"continue", "block"};
    constexpr std::string_view modes[] = {"enforce", "shadow"};
    reader_.warn_unknown_keys(document_, keys);
    read_name();
    if (const Value* filter = document_.get("filter")) {
      if (reader_.map(*filter)) draft_.filter = compile_filter(*filter, {}, reader_);
    } else {
      reader_.error(document_.at, "filter-required", "`filter` is required");
    }
    if (const Value* processors = document_.get("processors"); processors != nullptr && reader_.map(*processors))
      for (const Entry& entry : processors->entries) read_processor(entry);
    if (const Value* word = document_.get("on_error"))
      draft_.blocks_on_error = reader_.choice(*word, error_words).value_or(0) == 1;
    if (const Value* word = document_.get("mode")) draft_.shadow = reader_.choice(*word, modes).value_or(0) == 1;
    read_flow_lists();
  }

  void read_name() {
    const Value* name = document_.get("name");
    const Value* id = document_.get("id");
    const Value* used = name != nullptr ? name : id;
    auto text = used == nullptr ? std::nullopt : reader_.string(*used);
    if (used == nullptr || (text && text->empty())) {
      reader_.error(used == nullptr ? document_.at : used->at, "flow-name-required", "`name` is required");
      return;
    }
    if (!text) return;
    draft_.name = *std::move(text);
    draft_.name_position = used->at;
    if (name == nullptr) reader_.note(id->at, "dialect", "`id` is read as `name`");
    if (name != nullptr && id != nullptr && id->text != draft_.name)
      reader_.warn(id->at, "dialect", "`id` has no effect beside `name`, which is \"" + draft_.name + "\"");
  }

  void read_flow_lists() {
    constexpr std::string_view keys[] = {"request", "response"};
    const Value* flow = document_.get("flow");
    draft_.request_position = draft_.response_position = flow == nullptr ? document_.at : flow->at;
    if (flow != nullptr && !reader_.map(*flow)) return;
    if (flow != nullptr) reader_.warn_unknown_keys(*flow, keys);
    const Value* request = flow == nullptr ? nullptr : flow->get("request");
    const Value* response = flow == nullptr ? nullptr : flow->get("response");
    if (request != nullptr) draft_.request_position = request->at;
    if (response != nullptr) draft_.response_position = response->at;
    size_t before = out_.list().size();
    draft_.request = read_connections(request, draft_.request_position, false, reader_);
    draft_.request_read = !errors_since(before);
    before = out_.list().size();
    draft_.response = read_connections(response, draft_.response_position, true, reader_);
    draft_.response_read = !errors_since(before);
  }

  // Whether one is among the findings behind the first `before`. Those of all files before this one are in the list.
  [[nodiscard]] bool errors_since(size_t before) const {
    return std::any_of(out_.list().begin() + static_cast<ptrdiff_t>(before), out_.list().end(),
                       [](const Diagnostic& one) { return one.severity == Severity::error; });
  }

  // Processors

  void read_processor(const Entry& entry) {
    constexpr std::string_view keys[] = {"processor", "parameters", "metrics"};
    DeclaredProcessor declared{.position = entry.key_at};
    if (entry.key.contains('.'))
      reader_.warn(entry.key_at, "too-many-dots", "other flows cannot refer to `" + entry.key + "`, which has a dot");
    if (reader_.map(entry.value)) {
      reader_.warn_unknown_keys(entry.value, keys);
      declared.type = read_type(entry);
    }
    if (declared.type != nullptr) make_instance(entry, declared);
    draft_.processor_order.push_back(entry.key);
    draft_.processors.emplace(entry.key, declared);
  }

  const ProcessorType* read_type(const Entry& entry) {
    const Value* name = entry.value.get("processor");
    if (name == nullptr) {
      reader_.error(entry.value.at, "processor-not-found", "`processor` is required: the type of `" + entry.key + "`");
      return nullptr;
    }
    auto text = reader_.string(*name);
    if (!text) return nullptr;
    const ProcessorType* type = find_processor(*text);
    if (type == nullptr) {
      bool plugin = std::ranges::find(surroundings_.plugins, *text) != surroundings_.plugins.end();
      reader_.error(
          name->at, plugin ? "plugins-unsupported" : "processor-not-found",
          plugin ? "\"" + *text + "\" is a plug-in processor, which this version does not run; CustomScript may do"
                 : "\"" + *text + "\" is not a processor type" + near_types(*text));
    } else if (!type->unavailable.empty()) {
      reader_.error(name->at, "not-implemented", std::string(type->unavailable));
      return nullptr;
    }
    return type;
  }

  static std::string near_types(std::string_view name) {
    std::vector<std::string_view> names;
    for (const ProcessorType* type : builtin_processors()) names.push_back(type->name);
    std::string_view near = nearest_name(name, names);
    if (!near.empty()) return "; did you mean " + std::string(near) + "?";
    std::string out;
    for (std::string_view known : names) out += (out.empty() ? "; there are " : ", ") + std::string(known);
    return out;
  }

  void make_instance(const Entry& entry, DeclaredProcessor& declared) {
    std::vector<Arguments::Given> given;
    if (const Value* list = entry.value.get("parameters")) given = read_parameters(*list);
    surroundings_.flow_name = draft_.name;
    surroundings_.processor_key = entry.key;
    Position at = entry.value.at;
    Arguments arguments(declared.type->parameters, std::move(given), at, reader_);
    const size_t before = out_.list().size();
    check_arguments(arguments, {declared.type->parameters, declared.type->accepts_key, entry.key}, reader_, at);
    auto processor = declared.type->create(arguments, surroundings_);
    const bool faulty = errors_since(before);
    Instance instance{.flow = draft_.name, .key = entry.key, .type = declared.type, .processor = std::move(processor)};
    if (const Value* metrics = entry.value.get("metrics")) read_metrics(*metrics, instance);
    if (instance.processor == nullptr || faulty) return;
    declared.instance = static_cast<uint32_t>(instances_.size());
    declared.usable = true;
    instances_.push_back(std::move(instance));
  }

  std::vector<Arguments::Given> read_parameters(const Value& list) {
    constexpr std::string_view keys[] = {"key", "value"};
    std::vector<Arguments::Given> out;
    auto items = reader_.list(list);
    if (!items) return out;
    for (const Value* item : *items) {
      if (!reader_.map(*item)) continue;
      reader_.warn_unknown_keys(*item, keys);
      const Value* key = item->get("key");
      const Entry* value = item->find("value");
      if (key == nullptr || value == nullptr) {
        reader_.error(item->at, "param-entry",
                      std::string("`") + (key == nullptr ? "key" : "value") + "` is required here");
        continue;
      }
      auto name = reader_.string(*key);
      if (!name) continue;
      auto same = std::ranges::find(out, *name, &Arguments::Given::key);
      if (same != out.end()) {
        reader_.error(key->at, "duplicate-key",
                      "`" + *name + "` is given twice; the first is in line " + std::to_string(same->key_at.line));
        continue;
      }
      out.push_back({*std::move(name), key->at, &value->value});
    }
    return out;
  }

  void read_metrics(const Value& metrics, Instance& out) {
    constexpr std::string_view keys[] = {"enabled", "labels"};
    if (!reader_.map(metrics)) return;
    reader_.warn_unknown_keys(metrics, keys);
    if (const Value* enabled = metrics.get("enabled")) out.measured = reader_.boolean(*enabled).value_or(false);
    const Value* labels = metrics.get("labels");
    auto items = labels == nullptr ? std::nullopt : reader_.list(*labels);
    if (!items) return;
    for (const Value* item : *items) {
      auto name = reader_.string(*item);
      auto label = name ? metric_label(*name) : std::nullopt;
      if (label) {
        out.labels.push_back(*label);
      } else if (name) {
        reader_.warn(item->at, "unknown-key", "there is no label \"" + *name + "\"; it is ignored");
      }
    }
  }

  const Value& document_;
  Surroundings& surroundings_;
  std::vector<Instance>& instances_;
  Reader reader_;
  Diagnostics& out_;
  FlowDraft draft_;
};

}  // namespace

FlowDraft read_flow(const FlowFile& file, Surroundings& surroundings, std::vector<Instance>& instances,
                    Diagnostics& out) {
  return FlowReader(file, surroundings, instances, out).read();
}

}  // namespace lunar
