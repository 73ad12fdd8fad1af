// CountLLMTokens (flows.md §7.9): how many tokens a prompt has, in a request header that never leaves the gateway.
#include "flowengine/expr/json.h"
#include "flowengine/processors/types.h"
#include "flowengine/tokens/tokens.h"

namespace lunar {
namespace {

constexpr std::string_view model_types[] = {"chatgpt", "claude", "gemini"};

struct CountSettings {
  std::string header;
  Encoding encoding = Encoding::cl100k_base;
  std::string encoding_name, model, model_type;
};

void append_text(std::string& out, std::string_view text) {
  if (!out.empty()) out.push_back('\n');
  out.append(text);
}

void append_content(std::string& out, const Json& content) {
  if (content.is_string()) return append_text(out, content.get_ref<const std::string&>());
  if (!content.is_array()) return;
  for (const Json& part : content) {
    if (!part.is_object()) continue;
    auto text = part.find("text");
    if (text != part.end() && text->is_string()) append_text(out, text->get_ref<const std::string&>());
  }
}

// `messages[].content` joined by newline; of a content in parts the text parts.
std::string prompt_of(const Json* body) {
  std::string out;
  if (body == nullptr || !body->is_object()) return out;
  auto messages = body->find("messages");
  if (messages == body->end() || !messages->is_array()) return out;
  for (const Json& message : *messages) {
    if (!message.is_object()) continue;
    auto content = message.find("content");
    if (content != message.end()) append_content(out, *content);
  }
  return out;
}

class CountTokens final : public Processor {
 public:
  explicit CountTokens(CountSettings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] Outcome run(Context& context) const override {
    Request& request = context.request;
    if (!request.body) {
      request.remove_field(settings_.header);
      context.view.request_changed();
      return outcome::Done{};
    }
    size_t count = count_tokens(settings_.encoding, prompt_of(context.view.request_json()));
    if (count == 0) count = count_tokens(settings_.encoding, *request.body);
    request.set_internal_field(settings_.header, std::to_string(count));
    context.view.request_changed();
    if (context.plan.instances[context.instance].measured)
      context.emissions.emplace_back(emission::Measure{.meter = emission::Meter::llm_tokens,
                                                       .instance = context.instance,
                                                       .amount = static_cast<double>(count),
                                                       .model = settings_.model,
                                                       .model_type = settings_.model_type,
                                                       .encoding = settings_.encoding_name});
    return outcome::Done{};
  }

  [[nodiscard]] BodyUse body_use(Phase /*phase*/) const override { return {.hold_request = true}; }

 private:
  CountSettings settings_;
};

constexpr Parameter parameters[] = {
    {.name = "store_count_header",
     .fallback = "x-lunar-estimated-tokens",
     .help = "request header that gets the count"},
    {.name = "encoding", .help = "cl100k_base or o200k_base"},
    {.name = "model", .help = "a model's name, by its longest known prefix"},
    {.name = "model_type", .help = "chatgpt, claude or gemini"},
};

void fall_back(Arguments& arguments, std::string_view name, const std::string& given) {
  arguments.reader().warn(arguments.at(name), "encoding-fallback",
                          "\"" + given + "\" has no encoding here; cl100k_base is used");
}

std::unique_ptr<const Processor> create(Arguments& arguments, Surroundings& /*surroundings*/) {
  CountSettings settings{.header = arguments.text("store_count_header"), .encoding_name = "cl100k_base"};
  std::string encoding = arguments.text("encoding");
  settings.model = arguments.text("model");
  settings.model_type = lower_case(arguments.text("model_type"));
  if (!encoding.empty()) {
    auto known = encoding_from_name(encoding);
    if (!known) fall_back(arguments, "encoding", encoding);
    settings.encoding = known.value_or(Encoding::cl100k_base);
  } else if (!settings.model.empty()) {
    auto known = encoding_of_model(settings.model);
    if (known.fell_back) fall_back(arguments, "model", settings.model);
    settings.encoding = known.encoding;
  } else if (!settings.model_type.empty()) {
    bool known = std::ranges::find(model_types, settings.model_type) != std::end(model_types);
    if (!known || settings.model_type != "chatgpt") fall_back(arguments, "model_type", arguments.text("model_type"));
  }
  settings.encoding_name = settings.encoding == Encoding::o200k_base ? "o200k_base" : "cl100k_base";
  return std::make_unique<CountTokens>(std::move(settings));
}

}  // namespace

const ProcessorType count_tokens_type{
    .name = "CountLLMTokens",
    .help = "counts the tokens of a prompt",
    .directions = {.request = true},
    .parameters = parameters,
    .create = create,
};

}  // namespace lunar
