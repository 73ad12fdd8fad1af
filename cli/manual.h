// Manual page and completion scripts, written from the parser itself: what it declares is what they say.
#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace lunar::cli {

[[nodiscard]] std::string write_manual(const CLI::App& app, std::string_view version);  // lunarctl(1), troff
[[nodiscard]] std::optional<std::string> write_completion(const CLI::App& app,
                                                          std::string_view shell);  // bash, zsh, fish

}  // namespace lunar::cli
