#include "cli/layout.h"

#include <doctest/doctest.h>

#include <sstream>

using namespace lunar::cli;

TEST_CASE("layout: units as people read them") {
  CHECK(human_bytes(0) == "0 B");
  CHECK(human_bytes(1023) == "1023 B");
  CHECK(human_bytes(1024) == "1.00 KiB");
  CHECK(human_bytes(1536.0 * 1024 * 1024) == "1.50 GiB");
  CHECK(human_milliseconds(0.25) == "0.25 ms");
  CHECK(human_milliseconds(12.34) == "12.3 ms");
  CHECK(human_milliseconds(1500) == "1.50 s");
  CHECK(human_milliseconds(180'000) == "3 min");
  CHECK(human_duration(59) == "59s");
  CHECK(human_duration(125) == "2m 5s");
  CHECK(human_duration(3700) == "1h 1m");
  CHECK(human_duration(200'000) == "2d 7h");
  CHECK(human_count(1) == "1");
  CHECK(human_count(1234567) == "1,234,567");
  CHECK(human_count(999) == "999");
  CHECK(human_rate(0.25) == "0.2");
  CHECK(human_rate(12345.6) == "12,346");
  CHECK(plural(1, "worker") == "1 worker");
  CHECK(plural(0, "worker") == "0 workers");
}

TEST_CASE("layout: columns align, with and without colour, also for UTF-8") {
  for (const bool color : {false, true}) {
    const Palette palette(color);
    Table table({{"N", Table::Side::right}, {"NAME"}, {"END"}});
    table.row({"1", palette.good("gr\u00fcn"), "x"});
    table.row({"100", "longer", "y"});
    std::ostringstream out;
    table.print(out, palette, "  ");
    std::string plain;
    bool escape = false;
    for (const char byte : out.str()) {
      if (byte == '\033') escape = true;
      if (!escape) plain += byte;
      if (byte == 'm') escape = false;
    }
    CHECK(plain == "    N  NAME    END\n    1  gr\u00fcn    x\n  100  longer  y\n");
  }
}

TEST_CASE("layout: nothing from elsewhere reaches the terminal as a control sequence") {
  CHECK(printable("a\033[31mb\n\x7f") == "a?[31mb??");
}
