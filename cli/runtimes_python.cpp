// Python's certifi: the list of roots that requests, httpx and pip come with.
#include <algorithm>
#include <cctype>

#include "cli/runtimes.h"

namespace lunar::cli {
namespace {

// 3.11, of python3.11 or libpython3.11.so.1.0; empty: unknown.
std::string version_of(const Process& process) {
  std::string name = process.name();
  if (!name.starts_with("python")) {
    const std::string library = process.mapped_library("libpython");
    name = library.substr(library.rfind('/') + 1);
  }
  const size_t begin = name.find("python");
  if (begin == std::string::npos) return {};
  const std::string digits = name.substr(begin + 6);
  const size_t dot = digits.find('.');
  if (dot == std::string::npos) return {};
  size_t end = dot + 1;
  while (end < digits.size() && std::isdigit(static_cast<unsigned char>(digits[end])) != 0) ++end;
  return digits.substr(0, end);
}

std::string above(const std::string& path, int levels) {
  std::string out = path;
  for (int i = 0; i < levels; ++i) out.resize(out.rfind('/') == std::string::npos ? 0 : out.rfind('/'));
  return out;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(':', begin), text.size());
    if (end > begin) out.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

// As it was called, links unread: a virtual environment is found by the link that is in it.
std::string called_as(const Process& process) {
  const std::string word = process.arguments.empty() ? "" : process.arguments.front();
  if (word.find('/') != std::string::npos) return process.absolute(word);
  const FileTree tree = process.tree();
  for (const std::string& folder : split(process.variable("PATH")))
    if (tree.place(below(folder, word))) return below(folder, word);
  return {};
}

class SearchPath {
 public:
  explicit SearchPath(const Process& process) : process_(process), version_(version_of(process)) {}

  // The folders that packages are found in, in the order of the search.
  [[nodiscard]] std::vector<std::string> folders() {
    out_ = split(process_.variable("PYTHONPATH"));
    if (add_virtual_environment()) return out_;
    for (const std::string& library : process_.libraries)
      for (const std::string_view mark : {"/site-packages/", "/dist-packages/"})
        if (const size_t at = library.find(mark); at != std::string::npos)
          out_.push_back(library.substr(0, at + mark.size() - 1));
    add_base(process_.variable("HOME") + "/.local");
    add_base(above(process_.executable, 2));
    out_.push_back("/usr/local/lib/python" + version_ + "/dist-packages");
    if (process_.executable.starts_with("/usr/bin/")) out_.emplace_back("/usr/lib/python3/dist-packages");
    return out_;
  }

 private:
  void add_base(const std::string& base) {
    for (const char* library : {"/lib/python", "/lib64/python"})
      out_.push_back(base + library + version_ + "/site-packages");
  }

  // True: nothing outside of it is looked at.
  bool add_virtual_environment() {
    std::string base = process_.variable("VIRTUAL_ENV");
    if (base.empty()) base = above(called_as(process_), 2);
    const auto settings = process_.tree().read(base + "/pyvenv.cfg");
    if (!settings) return false;
    add_base(base);
    return settings->find("include-system-site-packages = true") == std::string::npos;
  }

  const Process& process_;
  std::string version_;
  std::vector<std::string> out_;
};

}  // namespace

std::optional<TrustUse> certifi_use(const Process& process) {
  const FileTree tree = process.tree();
  for (const std::string& folder : SearchPath(process).folders()) {
    const std::string list = folder + "/certifi/cacert.pem";
    if (!tree.place(list)) continue;
    TrustUse out{.runtime = "certifi (requests, httpx)", .places = {}};
    // Debian's gives the system's bundle in place of its own list.
    const bool of_system = tree.read(folder + "/certifi/core.py").value_or("").find(system_bundle) != std::string::npos;
    auto named = named_file(process, "REQUESTS_CA_BUNDLE");
    if (!named) named = named_file(process, "CURL_CA_BUNDLE");
    if (!named && !of_system) out.setting = "REQUESTS_CA_BUNDLE";
    out.places.push_back(named.value_or(StorePlace{StoreKind::certificates, of_system ? system_bundle : list}));
    return out;
  }
  return std::nullopt;
}

}  // namespace lunar::cli
