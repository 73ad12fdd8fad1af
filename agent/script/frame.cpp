#include "agent/script/frame.h"

#include <cstring>

namespace lunar::script {
namespace {

constexpr uint32_t kMissing = ~uint32_t{0};

void append_text(std::string& to, const std::optional<std::string_view>& text) {
  const uint32_t size = text ? static_cast<uint32_t>(text->size()) : kMissing;
  to.append(reinterpret_cast<const char*>(&size), sizeof size);
  if (text) to.append(*text);
}

// False if the bytes end too early.
bool take_text(std::string_view& from, std::optional<std::string_view>& text) {
  uint32_t size = 0;
  if (from.size() < sizeof size) return false;
  memcpy(&size, from.data(), sizeof size);
  from.remove_prefix(sizeof size);
  if (size == kMissing) return true;
  if (from.size() < size) return false;
  text = from.substr(0, size);
  from.remove_prefix(size);
  return true;
}

}  // namespace

std::string encode_frame(FrameHead head, std::string_view text) {
  head.size = static_cast<uint32_t>(text.size());
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes.append(text);
  return bytes;
}

std::optional<Frame> FrameReader::next() {
  Frame frame;
  if (broken_ || buffer_.size() < sizeof frame.head) return std::nullopt;
  memcpy(&frame.head, buffer_.data(), sizeof frame.head);
  const auto kind = static_cast<uint32_t>(frame.head.kind);
  broken_ = frame.head.size > kMaxFrameText || kind < 1 || kind > 3;
  const size_t whole = sizeof frame.head + frame.head.size;
  if (broken_ || buffer_.size() < whole) return std::nullopt;
  frame.text = buffer_.substr(sizeof frame.head, frame.head.size);
  buffer_.erase(0, whole);
  return frame;
}

std::string join_texts(const CallTexts& texts) {
  std::string joined;
  append_text(joined, texts.script);
  append_text(joined, texts.request);
  append_text(joined, texts.response);
  return joined;
}

std::optional<CallTexts> split_texts(std::string_view joined) {
  std::optional<std::string_view> script, request, response;
  if (!take_text(joined, script) || !take_text(joined, request) || !take_text(joined, response)) return std::nullopt;
  if (!script || !request || !joined.empty()) return std::nullopt;
  return CallTexts{.script = *script, .request = *request, .response = response};
}

}  // namespace lunar::script
