// A file of whole lines that other programs read while it is written, rotated by renaming. Never waits: a pipe that
// nobody reads, a full disk and a lost directory are errors at once. What the access log and HAR files have in common.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar {

class RotatingFile {
 public:
  // `retain`: rotated files PATH.1 (newest) … PATH.N.
  RotatingFile(std::string path, unsigned retain) : path_(std::move(path)), retain_(retain) {}

  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] bool is_open() const { return static_cast<bool>(file_); }
  [[nodiscard]] Result<> open();  // to append; nothing to do if it is open
  void close() { file_.reset(); }

  struct Appended {
    size_t kept = 0;   // bytes of whole lines that are in the file
    int os_error = 0;  // errno, if that is not all
  };
  // Of an open file. Half a line is taken back; where that cannot be, the file is closed, and at worst one broken line
  // stays behind.
  [[nodiscard]] Appended append(std::string_view lines);

  // Of an open file. A failure (a read-only directory) leaves it open and growing in place.
  void rotate();

  [[nodiscard]] bool regular() const { return regular_; }  // else it is a pipe or a device, and not rotated
  [[nodiscard]] uint64_t size() const { return size_; }
  // When it was opened: the last change of the file.
  [[nodiscard]] std::chrono::sys_seconds modified() const { return modified_; }

 private:
  std::string path_;
  unsigned retain_;
  Fd file_;
  bool regular_ = false;
  uint64_t size_ = 0;
  std::chrono::sys_seconds modified_{};
};

}  // namespace lunar
