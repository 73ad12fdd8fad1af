// What can be found in the file of a program or library.
#include <elf.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "cli/runtimes_process.h"

namespace lunar::cli {
namespace {

constexpr size_t largest_name_table = 1024 * 1024;
constexpr size_t longest_quote = 255;

template <class T>
bool read_at(std::FILE* file, uint64_t offset, T& out) {
  return offset <= INT64_MAX && ::fseeko(file, static_cast<off_t>(offset), SEEK_SET) == 0 &&
         std::fread(&out, sizeof out, 1, file) == 1;
}

}  // namespace

bool has_elf_section(std::FILE* file, std::string_view name) {
  Elf64_Ehdr header{};
  const bool is_elf = read_at(file, 0, header) && std::memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
                      header.e_ident[EI_CLASS] == ELFCLASS64 && header.e_shentsize == sizeof(Elf64_Shdr);
  if (!is_elf || header.e_shstrndx >= header.e_shnum) return false;
  Elf64_Shdr names{};
  if (!read_at(file, header.e_shoff + uint64_t{header.e_shstrndx} * sizeof names, names)) return false;
  std::string table(std::min<uint64_t>(names.sh_size, largest_name_table), '\0');
  if (names.sh_offset > INT64_MAX || ::fseeko(file, static_cast<off_t>(names.sh_offset), SEEK_SET) != 0) return false;
  table.resize(std::fread(table.data(), 1, table.size(), file));
  for (uint64_t i = 0; i < header.e_shnum; ++i) {
    Elf64_Shdr section{};
    if (!read_at(file, header.e_shoff + i * sizeof section, section)) return false;
    if (section.sh_name < table.size() && std::string_view(table.c_str() + section.sh_name) == name) return true;
  }
  return false;
}

std::string quoted_after(std::FILE* file, std::string_view mark) {
  std::string window;
  std::array<char, 65536> piece;
  while (const size_t count = std::fread(piece.data(), 1, piece.size(), file)) {
    window.append(piece.data(), count);
    for (size_t at = window.find(mark); at != std::string::npos; at = window.find(mark, at + 1)) {
      const size_t begin = at + mark.size();
      const size_t end = window.find('"', begin);
      if (end != std::string::npos && end - begin <= longest_quote) return window.substr(begin, end - begin);
    }
    const size_t overlap = mark.size() + longest_quote + 1;
    if (window.size() > overlap) window.erase(0, window.size() - overlap);
  }
  return {};
}

}  // namespace lunar::cli
