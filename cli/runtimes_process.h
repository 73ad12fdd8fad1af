// A process as /proc shows it.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <string>
#include <vector>

#include "cli/trust_tree.h"
#include "flowengine/result.h"

namespace lunar::cli {

struct Process {
  uint32_t pid = 0;
  std::string executable;  // path in its tree
  std::string folder;      // its working directory
  std::vector<std::string> arguments;
  std::map<std::string, std::string, std::less<>> environment;  // as it was when the program began
  std::vector<std::string> libraries;                           // files that are mapped, each once
  std::string unit;                                             // shop.service; empty: none that can be restarted
  std::time_t began = 0;                                        // seconds since 1970
  bool in_container = false;                                    // its root folder is not ours
  bool is_go = false;

  [[nodiscard]] std::string name() const;                                   // of the executable, without folders
  [[nodiscard]] std::string variable(std::string_view name) const;          // empty: not set
  [[nodiscard]] std::string mapped_library(std::string_view prefix) const;  // whose file name begins so; empty: none
  [[nodiscard]] std::string absolute(const std::string& path) const;        // seen from its working directory
  [[nodiscard]] FileTree tree() const { return FileTree("/proc/" + std::to_string(pid) + "/root"); }
};

// An error with ENOENT: it has ended, or is a thread of the kernel. EACCES or EPERM: only root may look.
[[nodiscard]] Result<Process> look_at_process(uint32_t pid);

// Of a unit, a container or a cgroup path, as `attach` takes them, with all cgroups below. Empty: there is none.
[[nodiscard]] std::vector<uint32_t> processes_of(const std::string& target);

// Whether an ELF file has a section of this name. The file may be anything.
[[nodiscard]] bool has_elf_section(std::FILE* file, std::string_view name);

// What follows `mark` in a file up to a quotation mark, at most 255 bytes; empty: it is not there.
[[nodiscard]] std::string quoted_after(std::FILE* file, std::string_view mark);

}  // namespace lunar::cli
