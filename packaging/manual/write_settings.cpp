// Runs at build time: prints the settings of lunard.yaml(5) in troff, from the option table that lunard itself uses.
#include <iostream>

#include "agent/config/load.h"

int main() {
  std::cout << lunar::option_manual();
  return std::cout.flush() ? 0 : 1;
}
