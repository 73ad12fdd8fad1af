// Attachments on disk.
#include <doctest/doctest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "agent/redirect/attachment_store.h"

using namespace lunar;

namespace {

struct Directory {
  std::string path;
  Directory() {
    std::string pattern = std::filesystem::temp_directory_path() / "lunar-store-XXXXXX";
    path = mkdtemp(pattern.data());
  }
  ~Directory() { std::filesystem::remove_all(path); }
  [[nodiscard]] std::string file() const { return path + "/attachments.json"; }
  void write(std::string_view text) const { std::ofstream(file()) << text; }
};

}  // namespace

TEST_CASE("attachment store: gives back what was written") {
  const Directory directory;
  REQUIRE(write_attachments(directory.file(),
                            {{"shop.service", {.netns = true}}, {"/a\\x2d\"b", {.policy = Policy::bypass}}}));
  const auto read = read_attachments(directory.file());
  REQUIRE(read);
  REQUIRE(read->size() == 2);
  CHECK((*read)[0].target == "shop.service");
  CHECK((*read)[0].options.netns);
  CHECK((*read)[0].options.policy == Policy::capture);
  CHECK((*read)[1].target == "/a\\x2d\"b");
  CHECK((*read)[1].options.policy == Policy::bypass);
  CHECK_FALSE((*read)[1].options.netns);
}

TEST_CASE("attachment store: no file means no attachment; a damaged one is an error, not an empty list") {
  const Directory directory;
  REQUIRE(read_attachments(directory.file()));
  CHECK(read_attachments(directory.file())->empty());
  for (const char* damaged :
       {"", "{", "[]", R"({"version":2,"attachments":[]})", R"({"version":1})", R"({"version":1,"attachments":[{}]})",
        R"({"version":1,"attachments":[{"target":"a","policy":"maybe"}]})"}) {
    CAPTURE(damaged);
    directory.write(damaged);
    CHECK_FALSE(read_attachments(directory.file()));
  }
}

TEST_CASE("attachment store: a failed write leaves the old content") {
  const Directory directory;
  REQUIRE(write_attachments(directory.file(), {{"old", {}}}));
  std::filesystem::create_directory(directory.file() + ".new");  // the draft cannot be created
  CHECK_FALSE(write_attachments(directory.file(), {{"new", {}}}));
  const auto read = read_attachments(directory.file());
  REQUIRE(read);
  REQUIRE(read->size() == 1);
  CHECK((*read)[0].target == "old");
}
