#include "flowengine/http_date.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace lunar {
namespace {

using namespace std::chrono;

constexpr std::array<std::string_view, 7> day_names = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> month_names = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                          "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr auto longest_wait = hours(24 * 36525);

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Takes a text from the left; once something does not fit, everything after it fails.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : rest_(text) {}

  void skip(std::string_view expected) {
    ok_ = ok_ && rest_.starts_with(expected);
    if (ok_) rest_.remove_prefix(expected.size());
  }
  bool take_if(char c) {
    if (!ok_ || !rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  int number(size_t digits) {
    int value = 0;
    ok_ = ok_ && rest_.size() >= digits && std::ranges::all_of(rest_.substr(0, digits), is_digit);
    if (!ok_) return 0;
    for (char c : rest_.substr(0, digits)) value = value * 10 + (c - '0');
    rest_.remove_prefix(digits);
    return value;
  }
  // Index of the name that stands here, in its first `length` letters where that is given.
  template <size_t count>
  size_t name(const std::array<std::string_view, count>& names, size_t length = std::string_view::npos) {
    for (size_t i = 0; ok_ && i < count; ++i) {
      std::string_view wanted = names[i].substr(0, length);
      if (!rest_.starts_with(wanted)) continue;
      rest_.remove_prefix(wanted.size());
      return i;
    }
    ok_ = false;
    return 0;
  }
  std::string_view digits() {
    size_t count = 0;
    while (ok_ && count < rest_.size() && is_digit(rest_[count])) ++count;
    std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    ok_ = ok_ && count > 0;
    return taken;
  }
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] bool done() const { return ok_ && rest_.empty(); }
  void fail() { ok_ = false; }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

struct Fields {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

std::optional<WallTime> moment(const Fields& at) {
  year_month_day date{year(at.year), month(static_cast<unsigned>(at.month)), day(static_cast<unsigned>(at.day))};
  if (!date.ok() || at.hour > 23 || at.minute > 59 || at.second > 60) return std::nullopt;
  return WallTime(sys_days(date)) + hours(at.hour) + minutes(at.minute) + seconds(at.second);
}

void scan_clock(Scanner& in, Fields& at) {
  at.hour = in.number(2);
  in.skip(":");
  at.minute = in.number(2);
  in.skip(":");
  at.second = in.number(2);
}

// Sun, 06 Nov 1994 08:49:37 GMT
std::optional<WallTime> parse_fixdate(std::string_view text) {
  Scanner in(text);
  Fields at;
  in.name(day_names, 3);
  in.skip(", ");
  at.day = in.number(2);
  in.skip(" ");
  at.month = static_cast<int>(in.name(month_names)) + 1;
  in.skip(" ");
  at.year = in.number(4);
  in.skip(" ");
  scan_clock(in, at);
  in.skip(" GMT");
  return in.done() ? moment(at) : std::nullopt;
}

// Sunday, 06-Nov-94 08:49:37 GMT
std::optional<WallTime> parse_rfc850(std::string_view text, WallTime now) {
  Scanner in(text);
  Fields at;
  in.name(day_names);
  in.skip(", ");
  at.day = in.number(2);
  in.skip("-");
  at.month = static_cast<int>(in.name(month_names)) + 1;
  in.skip("-");
  int short_year = in.number(2);
  in.skip(" ");
  scan_clock(in, at);
  in.skip(" GMT");
  if (!in.done()) return std::nullopt;
  int this_year = static_cast<int>(year_month_day(floor<days>(now)).year());
  at.year = this_year - this_year % 100 + short_year;
  if (at.year > this_year + 50) at.year -= 100;
  return moment(at);
}

// Sun Nov  6 08:49:37 1994
std::optional<WallTime> parse_asctime(std::string_view text) {
  Scanner in(text);
  Fields at;
  in.name(day_names, 3);
  in.skip(" ");
  at.month = static_cast<int>(in.name(month_names)) + 1;
  in.skip(" ");
  at.day = in.number(in.take_if(' ') ? 1 : 2);
  in.skip(" ");
  scan_clock(in, at);
  in.skip(" ");
  at.year = in.number(4);
  return in.done() ? moment(at) : std::nullopt;
}

std::string padded(int64_t value, size_t width) {
  std::string text = std::to_string(value);
  return text.size() < width ? std::string(width - text.size(), '0') + text : text;
}

minutes scan_offset(Scanner& in) {
  if (in.take_if('Z') || in.take_if('z')) return minutes(0);
  bool west = in.take_if('-');
  if (!west) in.skip("+");
  int hour = in.number(2);
  in.skip(":");
  int minute = in.number(2);
  if (hour > 23 || minute > 59) in.fail();
  auto offset = hours(hour) + minutes(minute);
  return west ? -offset : offset;
}

// The first `count` digits as a number, as if zeros followed.
int64_t fraction(std::string_view digits, size_t count) {
  int64_t value = 0;
  for (size_t i = 0; i < count; ++i) value = value * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return value;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

}  // namespace

std::optional<WallTime> parse_http_date(std::string_view text, WallTime now) {
  text = trimmed(text);
  if (auto time = parse_fixdate(text)) return time;
  if (auto time = parse_rfc850(text, now)) return time;
  return parse_asctime(text);
}

std::string http_date_text(WallTime time) {
  auto whole_day = floor<days>(time);
  year_month_day date(whole_day);
  hh_mm_ss clock(floor<seconds>(time - whole_day));
  std::string text(day_names[weekday(whole_day).c_encoding()].substr(0, 3));
  text.append(", ").append(padded(static_cast<unsigned>(date.day()), 2)).append(" ");
  text.append(month_names[static_cast<unsigned>(date.month()) - 1]).append(" ");
  text.append(padded(static_cast<int>(date.year()), 4)).append(" ");
  text.append(padded(clock.hours().count(), 2)).append(":").append(padded(clock.minutes().count(), 2)).append(":");
  return text.append(padded(clock.seconds().count(), 2)).append(" GMT");
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  Scanner in(trimmed(text));
  Fields at;
  at.year = in.number(4);
  in.skip("-");
  at.month = in.number(2);
  in.skip("-");
  at.day = in.number(2);
  if (!in.take_if('T') && !in.take_if('t')) in.skip(" ");
  scan_clock(in, at);
  int64_t thousandths = in.take_if('.') ? fraction(in.digits(), 3) : 0;
  minutes offset = scan_offset(in);
  auto time = in.done() ? moment(at) : std::nullopt;
  if (time) *time += milliseconds(thousandths) - offset;
  return time;
}

std::string rfc3339_text(WallTime time) {
  auto whole_day = floor<days>(time);
  year_month_day date(whole_day);
  hh_mm_ss clock(time - whole_day);
  std::string text = padded(static_cast<int>(date.year()), 4);
  text.append("-").append(padded(static_cast<unsigned>(date.month()), 2));
  text.append("-").append(padded(static_cast<unsigned>(date.day()), 2)).append("T");
  text.append(padded(clock.hours().count(), 2)).append(":").append(padded(clock.minutes().count(), 2)).append(":");
  text.append(padded(clock.seconds().count(), 2)).append(".").append(padded(clock.subseconds().count(), 3));
  return text.append("Z");
}

std::optional<nanoseconds> parse_seconds(std::string_view text) {
  Scanner in(text);
  std::string_view whole = in.digits();
  std::string_view part = in.take_if('.') ? in.digits() : std::string_view();
  if (!in.done() || whole.size() > 15) return std::nullopt;
  int64_t value = fraction(whole, whole.size());
  if (seconds(value) > longest_wait) return std::nullopt;
  return nanoseconds(seconds(value)) + nanoseconds(fraction(part, 9));
}

std::optional<nanoseconds> parse_retry_after(std::string_view text, const Instant& now) {
  if (auto wait = parse_seconds(trimmed(text))) return wait;
  auto date = parse_http_date(text, now.wall);
  if (!date || *date - now.wall > longest_wait) return std::nullopt;
  return std::max(nanoseconds(0), duration_cast<nanoseconds>(*date - now.wall));
}

}  // namespace lunar
