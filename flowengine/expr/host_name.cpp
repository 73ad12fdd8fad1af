#include "flowengine/expr/host_name.h"

#include <algorithm>
#include <vector>

#include "flowengine/expr/code_point.h"

namespace lunar {
namespace {

constexpr size_t longest_label = 63;

// RFC 3492 §5.
constexpr uint32_t base = 36, t_min = 1, t_max = 26, skew = 38, damp = 700;
constexpr uint32_t initial_bias = 72, initial_n = 128;

char digit(uint32_t value) { return static_cast<char>(value < 26 ? 'a' + value : '0' + (value - 26)); }

// §6.1
uint32_t adapted_bias(uint32_t delta, uint32_t points, bool first) {
  delta = first ? delta / damp : delta / 2;
  delta += delta / points;
  uint32_t k = 0;
  for (; delta > (base - t_min) * t_max / 2; k += base) delta /= base - t_min;
  return k + (base - t_min + 1) * delta / (delta + skew);
}

void append_delta(std::string& out, uint32_t delta, uint32_t bias) {
  for (uint32_t k = base;; k += base) {
    uint32_t t = k <= bias ? t_min : k >= bias + t_max ? t_max : k - bias;
    if (delta < t) break;
    out += digit(t + (delta - t) % (base - t));
    delta = (delta - t) / (base - t);
  }
  out += digit(delta);
}

// §6.3. A label is short, so nothing overflows: 63 x 0x10FFFF fits.
std::string punycode(const std::vector<uint32_t>& label) {
  std::string out;
  for (uint32_t c : label)
    if (c < initial_n) out += static_cast<char>(c);
  auto basic = static_cast<uint32_t>(out.size());
  if (basic > 0) out += '-';
  uint32_t n = initial_n, delta = 0, bias = initial_bias, handled = basic;
  while (handled < label.size()) {
    uint32_t next = UINT32_MAX;
    for (uint32_t c : label)
      if (c >= n) next = std::min(next, c);
    delta += (next - n) * (handled + 1);
    n = next;
    for (uint32_t c : label) {
      if (c < n) ++delta;
      if (c != n) continue;
      append_delta(out, delta, bias);
      bias = adapted_bias(delta, handled + 1, handled == basic);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++n;
  }
  return out;
}

bool is_name_byte(uint32_t c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == '-' || c == '_'; }
bool may_stand_in_name(uint32_t c) { return is_name_byte(c) || c >= 0xA1; }

}  // namespace

std::optional<std::string> ascii_label(std::string_view label) {
  std::vector<uint32_t> points;
  while (!label.empty() && points.size() <= longest_label) {
    auto point = take_code_point(label);
    if (!point) return std::nullopt;
    points.push_back(lower_letter(*point));
  }
  if (points.empty() || points.size() > longest_label || !std::ranges::all_of(points, may_stand_in_name))
    return std::nullopt;
  std::string out;
  if (std::ranges::all_of(points, is_name_byte)) {
    out.assign(points.begin(), points.end());
  } else {
    out = "xn--" + punycode(points);
  }
  return out.size() <= longest_label ? std::optional(out) : std::nullopt;
}

}  // namespace lunar
