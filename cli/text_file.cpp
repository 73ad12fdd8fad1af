#include "cli/text_file.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

namespace lunar::cli {
namespace {

struct Close {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, Close>;

std::unexpected<Error> fault(const char* what, const std::string& path) {
  const int error = errno;
  return fail(what + path + ": " + std::strerror(error), error);
}

}  // namespace

Result<std::string> read_text(const std::string& path) {
  const File file(std::fopen(path.c_str(), "rbe"));
  if (!file) return fault("cannot read ", path);
  std::string out;
  std::string piece(65536, '\0');
  while (const size_t count = std::fread(piece.data(), 1, piece.size(), file.get())) out.append(piece, 0, count);
  if (std::ferror(file.get()) != 0) return fault("cannot read ", path);
  return out;
}

Result<> write_text(const std::string& path, std::string_view text) {
  File file(std::fopen(path.c_str(), "wbe"));
  if (!file) return fault("cannot write ", path);
  const bool written = std::fwrite(text.data(), 1, text.size(), file.get()) == text.size();
  if (!written || std::fclose(file.release()) != 0) return fault("cannot write ", path);
  return {};
}

}  // namespace lunar::cli
