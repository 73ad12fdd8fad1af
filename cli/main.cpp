#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <iostream>

#include "cli/lunarctl.h"

int main(int argc, char** argv) {
  const bool interactive = ::isatty(STDOUT_FILENO) == 1;
  const char* no_color = std::getenv("NO_COLOR");
  const bool color = interactive && (no_color == nullptr || *no_color == '\0');
  try {
    return lunar::cli::lunarctl({argv + 1, argv + argc}, {std::cout, std::cerr, interactive, color});
  } catch (const std::exception& error) {
    std::cerr << "lunarctl: " << error.what() << '\n';
    return 1;
  }
}
