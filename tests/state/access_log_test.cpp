#include "agent/state/access_log.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "tests/state/directory.h"

using namespace lunar;
namespace fs = std::filesystem;

namespace {

using Lines = std::vector<std::string>;

const LogTime kNoon{std::chrono::sys_days{std::chrono::year{2024} / 5 / 15} + std::chrono::hours(12)};  // a Wednesday

}  // namespace

TEST_CASE("access log: writes nothing before the flush, everything with it") {
  const Directory directory;
  AccessLog log({.path = directory.log()});
  log.add("one", kNoon);
  log.add("two", kNoon);
  CHECK_FALSE(fs::exists(directory.log()));
  REQUIRE(log.flush(kNoon));
  CHECK(lines_of(directory.log()) == Lines{"one", "two"});
  CHECK((fs::status(directory.log()).permissions() & fs::perms::others_all) == fs::perms::none);
}

TEST_CASE("access log: a large buffer is written without waiting for the flush") {
  const Directory directory;
  AccessLog log({.path = directory.log(), .rotate_size = 0});
  log.add(std::string(AccessLog::kBufferLimit, 'x'), kNoon);
  CHECK(lines_of(directory.log()).size() == 1);
}

TEST_CASE("access log: rotates by size, never inside a batch, and retains what was asked") {
  const Directory directory;
  AccessLog log({.path = directory.log(), .rotate_size = 10, .retain = 2});
  for (const char* line : {"first--", "second-", "third--", "fourth-"}) {
    log.add(line, kNoon);
    REQUIRE(log.flush(kNoon));
  }
  CHECK(lines_of(directory.log()) == Lines{"fourth-"});
  CHECK(lines_of(directory.log() + ".1") == Lines{"third--"});
  CHECK(lines_of(directory.log() + ".2") == Lines{"second-"});
  CHECK_FALSE(fs::exists(directory.log() + ".3"));
}

TEST_CASE("access log: retaining nothing empties the file") {
  const Directory directory;
  AccessLog log({.path = directory.log(), .rotate_size = 10, .retain = 0});
  for (const char* line : {"first--", "second-"}) {
    log.add(line, kNoon);
    REQUIRE(log.flush(kNoon));
  }
  CHECK(lines_of(directory.log()) == Lines{"second-"});
  CHECK_FALSE(fs::exists(directory.log() + ".1"));
}

TEST_CASE("access log: rotates when its hour is over, not before") {
  const Directory directory;
  AccessLog log({.path = directory.log(), .rotate_interval = std::chrono::hours(1)});
  const auto write = [&](const char* line, LogTime at) {
    log.add(line, at);
    REQUIRE(log.flush(at));
  };
  write("noon", kNoon);
  write("last", kNoon + std::chrono::hours(1) - std::chrono::nanoseconds(1));
  CHECK(lines_of(directory.log()) == Lines{"noon", "last"});
  write("next", kNoon + std::chrono::hours(1));
  CHECK(lines_of(directory.log()) == Lines{"next"});
  CHECK(lines_of(directory.log() + ".1") == Lines{"noon", "last"});
}

TEST_CASE("access log: a week ends on Sunday at midnight") {
  const Directory directory;
  AccessLog log({.path = directory.log(), .rotate_interval = std::chrono::days(7)});
  const LogTime monday = LogTime(std::chrono::sys_days{std::chrono::year{2024} / 5 / 20});
  for (const LogTime at : {kNoon, monday - std::chrono::seconds(1), monday}) {
    log.add("line", at);
    REQUIRE(log.flush(at));
  }
  CHECK(lines_of(directory.log()).size() == 1);
  CHECK(lines_of(directory.log() + ".1").size() == 2);
}

TEST_CASE("access log: a file of an earlier run is rotated by its own age") {
  const Directory directory;
  {
    std::ofstream(directory.log()) << "old\n";
  }
  fs::last_write_time(directory.log(), fs::file_time_type::clock::now() - std::chrono::hours(3));
  AccessLog log({.path = directory.log(), .rotate_interval = std::chrono::hours(1)});
  const LogTime now = std::chrono::system_clock::now();
  log.add("new", now);
  REQUIRE(log.flush(now));
  CHECK(lines_of(directory.log()) == Lines{"new"});
  CHECK(lines_of(directory.log() + ".1") == Lines{"old"});
}

TEST_CASE("access log: reopens after another program moved the file") {
  const Directory directory;
  AccessLog log({.path = directory.log()});
  log.add("one", kNoon);
  REQUIRE(log.flush(kNoon));
  fs::rename(directory.log(), directory.log() + ".moved");
  log.add("two", kNoon);
  REQUIRE(log.reopen(kNoon));
  log.add("three", kNoon);
  REQUIRE(log.flush(kNoon));
  CHECK(lines_of(directory.log() + ".moved") == Lines{"one", "two"});
  CHECK(lines_of(directory.log()) == Lines{"three"});
}

TEST_CASE("access log: a full disk costs counted lines, and the next line reports them") {
  AccessLog log({.path = "/dev/full"});
  log.add("one", kNoon);
  log.add("two", kNoon);
  CHECK(log.lost() == 0);
  const Result<> flushed = log.flush(kNoon);
  REQUIRE_FALSE(flushed);
  CHECK(flushed.error().os_error == ENOSPC);
  CHECK(log.lost() == 2);
  log.add("three, reports two lost", kNoon);
  CHECK(log.lost() == 0);
  REQUIRE_FALSE(log.flush(kNoon));
  CHECK(log.lost() == 3);
  CHECK(log.lost_total() == 3);
}

TEST_CASE("access log: a failure of a large buffer is told by the next flush") {
  AccessLog log({.path = "/dev/full"});
  log.add(std::string(AccessLog::kBufferLimit, 'x'), kNoon);
  CHECK(log.lost() == 1);
  CHECK_FALSE(log.flush(kNoon));
}

TEST_CASE("access log: a disk that fills up in the middle of a line leaves whole lines only") {
  const Directory directory;
  AccessLog log({.path = directory.log(), .rotate_size = 0});
  {
    const FileSizeLimit full(20);
    log.add("123456789", kNoon);
    log.add("123456789", kNoon);
    log.add("cut in two", kNoon);
    log.add("never seen", kNoon);
    const Result<> flushed = log.flush(kNoon);
    REQUIRE_FALSE(flushed);
    CHECK(flushed.error().os_error == EFBIG);
  }
  CHECK(log.lost() == 2);
  log.add("after", kNoon);
  REQUIRE(log.flush(kNoon));
  CHECK(lines_of(directory.log()) == Lines{"123456789", "123456789", "after"});

  {
    const FileSizeLimit full(30);
    log.add("12345", kNoon);
    REQUIRE_FALSE(log.flush(kNoon));
  }
  CHECK(fs::file_size(directory.log()) == 26);
}

TEST_CASE("access log: a missing directory is an error with its way out, and heals by itself") {
  const Directory directory;
  const std::string path = directory.path / "sub" / "access.log";
  AccessLog log({.path = path});
  log.add("one", kNoon);
  const Result<> flushed = log.flush(kNoon);
  REQUIRE_FALSE(flushed);
  CHECK(flushed.error().text.find("make its directory writable") != std::string::npos);
  fs::create_directory(directory.path / "sub");
  CHECK(log.lost() == 1);
  log.add("two", kNoon);
  REQUIRE(log.flush(kNoon));
  CHECK(lines_of(path) == Lines{"two"});
}

TEST_CASE("access log: a pipe that nobody reads never holds anybody up") {
  const Directory directory;
  REQUIRE(::mkfifo(directory.log().c_str(), 0600) == 0);
  AccessLog log({.path = directory.log()});
  log.add("nobody listens", kNoon);
  CHECK_FALSE(log.flush(kNoon));
  const Fd reader(::open(directory.log().c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
  log.add(std::string(200'000, 'x'), kNoon);
  CHECK_FALSE(log.flush(kNoon));
  CHECK(log.lost() == 2);
}

TEST_CASE("access log: switched off it takes no memory") {
  AccessLog log({.path = ""});
  log.note_lost(3);
  log.add("line", kNoon);
  CHECK(log.flush(kNoon));
  CHECK(log.lost() == 3);
}
