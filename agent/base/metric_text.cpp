#include "agent/base/metric_text.h"

#include <array>
#include <charconv>
#include <cmath>

#include "agent/base/utf8.h"

namespace lunar {
namespace {

constexpr size_t kLabelLimit = 128;

std::string_view kind_name(MetricKind kind) {
  constexpr std::array<std::string_view, 3> kNames{"counter", "gauge", "histogram"};
  return kNames[static_cast<size_t>(kind)];
}

}  // namespace

std::string metric_number(double value) {
  std::array<char, 32> text;
  const bool whole = std::abs(value) < 9e15 && value == std::floor(value);
  const auto end = whole ? std::to_chars(text.data(), text.data() + text.size(), static_cast<int64_t>(value)).ptr
                         : std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  return {text.data(), end};
}

void append_label(std::string& labels, std::string_view name, std::string_view value) {
  if (!labels.empty()) labels += ',';
  labels += name;
  labels += "=\"";
  value = utf8_prefix(value, kLabelLimit);
  for (size_t at = 0; at < value.size();) {
    const size_t length = utf8_sequence(value, at);
    const char byte = value[at];
    if (length == 0) {
      labels += "\xEF\xBF\xBD";
    } else if (byte == '\n') {
      labels += "\\n";
    } else if (byte == '"' || byte == '\\') {
      labels += '\\';
      labels += byte;
    } else {
      labels.append(value, at, length);
    }
    at += length == 0 ? 1 : length;
  }
  labels += '"';
}

void MetricText::family(std::string_view name, MetricKind kind, std::string_view help) {
  name_ = name;
  out_ += "# HELP " + name_ + ' ';
  for (const char byte : help) {
    if (byte == '\n') {
      out_ += "\\n";
    } else if (byte == '\\') {
      out_ += "\\\\";
    } else {
      out_ += byte;
    }
  }
  out_ += "\n# TYPE " + name_ + ' ';
  out_ += kind_name(kind);
  out_ += '\n';
}

void MetricText::sample(double value, Labels labels) {
  std::string written;
  for (const auto& [name, text] : labels) append_label(written, name, text);
  sample_with(value, written);
}

void MetricText::sample_with(double value, std::string_view labels, std::string_view suffix) {
  out_ += name_;
  out_ += suffix;
  out_ += '{';
  out_ += common_;
  if (!common_.empty() && !labels.empty()) out_ += ',';
  out_ += labels;
  out_ += "} ";
  out_ += metric_number(value);
  out_ += '\n';
}

}  // namespace lunar
