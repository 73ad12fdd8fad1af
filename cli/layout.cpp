#include "cli/layout.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

namespace lunar::cli {
namespace {

// Columns on a terminal, near enough: continuation bytes of UTF-8 and colour sequences take none.
size_t width_of(std::string_view text) {
  size_t width = 0;
  bool escape = false;
  for (const char byte : text) {
    if (byte == '\033') {
      escape = true;
    } else if (escape) {
      escape = byte != 'm';
    } else if ((static_cast<unsigned char>(byte) & 0xC0) != 0x80) {
      ++width;
    }
  }
  return width;
}

std::string with_precision(double value, int digits) {
  std::array<char, 32> text;
  const int length = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), static_cast<size_t>(length)};
}

std::string three_digits(double value) { return with_precision(value, value < 9.995 ? 2 : value < 99.95 ? 1 : 0); }

}  // namespace

std::string Palette::painted(std::string_view code, std::string_view text) const {
  if (!color_) return std::string(text);
  return "\033[" + std::string(code) + "m" + std::string(text) + "\033[0m";
}

void Table::print_line(std::ostream& out, const std::vector<std::string>& cells,
                       const std::vector<size_t>& widths) const {
  for (size_t i = 0; i < columns_.size(); ++i) {
    const std::string cell = i < cells.size() ? cells[i] : "";
    const std::string padding(widths[i] - std::min(widths[i], width_of(cell)), ' ');
    const bool last = i + 1 == columns_.size();
    if (columns_[i].side == Side::right) out << padding;
    out << cell;
    if (columns_[i].side == Side::left && !last) out << padding;
    out << (last ? "\n" : "  ");
  }
}

void Table::print(std::ostream& out, const Palette& palette, std::string_view indent) const {
  std::vector<size_t> widths;
  std::vector<std::string> titles;
  for (const Column& column : columns_) {
    widths.push_back(column.title.size());
    titles.push_back(palette.faint(column.title));
  }
  for (const auto& cells : rows_) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], width_of(cells[i]));
  }
  out << indent;
  print_line(out, titles, widths);
  for (const auto& cells : rows_) {
    out << indent;
    print_line(out, cells, widths);
  }
}

std::string human_bytes(double bytes) {
  constexpr std::array<const char*, 6> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  size_t unit = 0;
  while (bytes >= 1023.5 && unit + 1 < kUnits.size()) {
    bytes /= 1024;
    ++unit;
  }
  return (unit == 0 ? with_precision(bytes, 0) : three_digits(bytes)) + " " + kUnits[unit];
}

std::string human_milliseconds(double value) {
  if (value < 1000) return three_digits(value) + " ms";
  if (value < 120'000) return three_digits(value / 1000) + " s";
  return with_precision(value / 60'000, 0) + " min";
}

std::string human_duration(uint64_t seconds) {
  const uint64_t minutes = seconds / 60;
  const uint64_t hours = minutes / 60;
  if (minutes == 0) return std::to_string(seconds) + "s";
  if (hours == 0) return std::to_string(minutes) + "m " + std::to_string(seconds % 60) + "s";
  if (hours < 48) return std::to_string(hours) + "h " + std::to_string(minutes % 60) + "m";
  return std::to_string(hours / 24) + "d " + std::to_string(hours % 24) + "h";
}

std::string human_count(uint64_t value) {
  std::string text = std::to_string(value);
  for (size_t i = text.size(); i > 3; i -= 3) text.insert(i - 3, ",");
  return text;
}

std::string human_rate(double per_second) {
  if (per_second < 9.95) return with_precision(per_second, 1);
  return human_count(static_cast<uint64_t>(per_second + 0.5));
}

std::string plural(uint64_t count, std::string_view one) {
  return human_count(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}

std::string printable(std::string_view text) {
  std::string out(text);
  std::replace_if(
      out.begin(), out.end(), [](char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }, '?');
  return out;
}

}  // namespace lunar::cli
