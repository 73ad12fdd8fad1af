// Text for people: aligned columns, units, and colour where it is wanted.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

namespace lunar::cli {

class Palette {
 public:
  explicit Palette(bool color) : color_(color) {}
  [[nodiscard]] std::string good(std::string_view text) const { return painted("32", text); }
  [[nodiscard]] std::string warning(std::string_view text) const { return painted("33", text); }
  [[nodiscard]] std::string bad(std::string_view text) const { return painted("31", text); }
  [[nodiscard]] std::string strong(std::string_view text) const { return painted("1", text); }
  [[nodiscard]] std::string faint(std::string_view text) const { return painted("2", text); }

 private:
  [[nodiscard]] std::string painted(std::string_view code, std::string_view text) const;
  bool color_;
};

// Columns as wide as their widest cell; the last one is not padded.
class Table {
 public:
  enum class Side : uint8_t { left, right };
  struct Column {
    std::string title;
    Side side = Side::left;
  };

  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void row(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  [[nodiscard]] bool empty() const { return rows_.empty(); }
  void print(std::ostream& out, const Palette& palette, std::string_view indent = {}) const;

 private:
  void print_line(std::ostream& out, const std::vector<std::string>& cells, const std::vector<size_t>& widths) const;

  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

[[nodiscard]] std::string human_bytes(double bytes);                     // 999 B, 1.5 KiB, 20 MiB
[[nodiscard]] std::string human_milliseconds(double value);              // 0.25 ms, 12 ms, 1.5 s, 2 min
[[nodiscard]] std::string human_duration(uint64_t seconds);              // 12s, 3m 5s, 2h 1m, 4d 3h
[[nodiscard]] std::string human_count(uint64_t value);                   // 1,234,567
[[nodiscard]] std::string human_rate(double per_second);                 // 0.3, 12, 1,234
[[nodiscard]] std::string plural(uint64_t count, std::string_view one);  // 1 worker, 2 workers

// What came from elsewhere, without control characters that would reach the terminal.
[[nodiscard]] std::string printable(std::string_view text);

}  // namespace lunar::cli
