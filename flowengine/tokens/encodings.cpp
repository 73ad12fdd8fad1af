#include <array>
#include <utility>

#include "flowengine/tokens/tokens.h"

namespace lunar {
namespace {

struct ModelPrefix {
  std::string_view text;
  Encoding encoding;
};

// As getEncodingNameForModel() of js-tiktoken, without the names of which a shorter one says the same. Models of older
// encodings are not here: they fall back.
constexpr std::array kModels{
    ModelPrefix{"gpt-3.5-turbo", Encoding::cl100k_base},
    ModelPrefix{"gpt-35-turbo", Encoding::cl100k_base},
    ModelPrefix{"gpt-4", Encoding::cl100k_base},
    ModelPrefix{"text-embedding-3-large", Encoding::cl100k_base},
    ModelPrefix{"text-embedding-3-small", Encoding::cl100k_base},
    ModelPrefix{"text-embedding-ada-002", Encoding::cl100k_base},
    ModelPrefix{"chatgpt-4o", Encoding::o200k_base},
    ModelPrefix{"gpt-4.1", Encoding::o200k_base},
    ModelPrefix{"gpt-4.5", Encoding::o200k_base},
    ModelPrefix{"gpt-4o", Encoding::o200k_base},
    ModelPrefix{"gpt-5", Encoding::o200k_base},
    ModelPrefix{"o1", Encoding::o200k_base},
    ModelPrefix{"o3", Encoding::o200k_base},
    ModelPrefix{"o4-mini", Encoding::o200k_base},
};

}  // namespace

std::string_view encoding_name(Encoding encoding) {
  return encoding == Encoding::cl100k_base ? "cl100k_base" : "o200k_base";
}

std::optional<Encoding> encoding_from_name(std::string_view name) {
  for (const Encoding encoding : {Encoding::cl100k_base, Encoding::o200k_base}) {
    if (name == encoding_name(encoding)) return encoding;
  }
  return std::nullopt;
}

ModelEncoding encoding_of_model(std::string_view model) {
  const ModelPrefix* longest = nullptr;
  for (const ModelPrefix& known : kModels) {
    if (model.starts_with(known.text) && (longest == nullptr || known.text.size() > longest->text.size()))
      longest = &known;
  }
  if (longest == nullptr) return {.encoding = Encoding::cl100k_base, .fell_back = true};
  return {.encoding = longest->encoding, .fell_back = false};
}

}  // namespace lunar
