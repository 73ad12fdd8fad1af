#include "flowengine/explain/declarations.h"

#include "flowengine/spec/document.h"

namespace lunar {
namespace {

constexpr size_t longest_value = 48;
constexpr size_t longest_line = 160;

// At a character boundary.
std::string cut(std::string text, size_t longest) {
  if (text.size() <= longest) return text;
  size_t end = longest;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  text.resize(end);
  return text + "…";
}

std::string one_line(std::string_view text) {
  std::string out;
  for (const char byte : text) out += static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f ? ' ' : byte;
  return out;
}

std::string scalar_text(const Value& value) {
  const bool plain = value.type != Value::ScalarType::string;
  const bool word = !value.text.empty() && value.text.find_first_of(" \t\r\n,:{}[]\"'#") == std::string::npos;
  return plain || word ? value.text : "\"" + one_line(value.text) + "\"";
}

void append(const Value& value, size_t longest, std::string& out) {
  if (out.size() > longest) return;
  switch (value.kind) {
    case Value::Kind::null:
      out += "null";
      return;
    case Value::Kind::scalar:
      out += scalar_text(value);
      return;
    case Value::Kind::list:
      out += "[";
      for (size_t i = 0; i < value.items.size(); ++i) {
        if (i > 0) out += ", ";
        append(value.items[i], longest, out);
      }
      out += "]";
      return;
    case Value::Kind::map:
      out += "{";
      for (size_t i = 0; i < value.entries.size(); ++i) {
        out += (i > 0 ? ", " : "") + one_line(value.entries[i].key) + ": ";
        append(value.entries[i].value, longest, out);
      }
      out += "}";
  }
}

std::string parameters_text(const Value& list) {
  std::string out;
  for (const Value& item : list.items) {
    if (item.kind != Value::Kind::map) continue;
    const Value* key = item.get("key");
    const Value* value = item.get("value");
    if (key == nullptr || value == nullptr) continue;
    out += (out.empty() ? "" : ", ") + one_line(key->text) + ": " + brief_text(*value, longest_value);
  }
  return cut(std::move(out), longest_line);
}

std::vector<std::string> texts_of(const Value& value) {
  if (value.kind == Value::Kind::scalar) return {value.text};
  std::vector<std::string> out;
  for (const Value& item : value.items) out.push_back(item.text);
  return out;
}

}  // namespace

std::string brief_text(const Value& value, size_t longest) {
  std::string out;
  append(value, longest, out);
  return cut(std::move(out), longest);
}

Declarations::Declared Declarations::read(const Value& document) {
  Declared out;
  const Value* processors = document.get("processors");
  if (processors != nullptr && processors->kind == Value::Kind::map) {
    for (const Entry& entry : processors->entries) {
      const Value* list = entry.value.kind == Value::Kind::map ? entry.value.get("parameters") : nullptr;
      if (list != nullptr) out.parameters.emplace(entry.key, parameters_text(*list));
    }
  }
  const Value* filter = document.get("filter");
  if (filter != nullptr && filter->kind == Value::Kind::map)
    for (const Entry& entry : filter->entries) out.filter.emplace(entry.key, texts_of(entry.value));
  return out;
}

Declarations::Declarations(const Sources& sources) {
  for (const SourceFile& file : sources.flows) {
    Diagnostics told_elsewhere;
    const auto document = read_document(file.path, file.text, told_elsewhere);
    if (!document || document->kind != Value::Kind::map) continue;
    const Value* name = document->get("name");
    if (name == nullptr) name = document->get("id");
    if (name != nullptr) flows_.try_emplace(name->text, read(*document));
  }
}

std::string Declarations::parameters(std::string_view flow, std::string_view key) const {
  const auto declared = flows_.find(flow);
  if (declared == flows_.end()) return "";
  const auto found = declared->second.parameters.find(key);
  return found == declared->second.parameters.end() ? "" : found->second;
}

const std::vector<std::string>& Declarations::filter_texts(std::string_view flow, std::string_view key) const {
  static const std::vector<std::string> none;
  const auto declared = flows_.find(flow);
  if (declared == flows_.end()) return none;
  const auto found = declared->second.filter.find(key);
  return found == declared->second.filter.end() ? none : found->second;
}

}  // namespace lunar
