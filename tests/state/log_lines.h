// What is logged while it lives.
#pragma once

#include <spdlog/logger.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <sstream>
#include <string>
#include <string_view>

namespace lunar {

class LogLines {
 public:
  LogLines() : before_(spdlog::default_logger()) {
    const auto sink = std::make_shared<spdlog::sinks::ostream_sink_mt>(text_);
    sink->set_pattern("%v");
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", sink));
  }
  LogLines(const LogLines&) = delete;
  LogLines& operator=(const LogLines&) = delete;
  ~LogLines() { spdlog::set_default_logger(before_); }

  [[nodiscard]] std::string text() const { return text_.str(); }
  [[nodiscard]] size_t count(std::string_view part) const {
    const std::string all = text();
    size_t out = 0;
    for (size_t at = all.find(part); at != std::string::npos; at = all.find(part, at + 1)) ++out;
    return out;
  }

 private:
  std::ostringstream text_;
  std::shared_ptr<spdlog::logger> before_;
};

}  // namespace lunar
