#include "agent/config/config_folder.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>

#include "agent/config/file_text.h"

namespace lunar {
namespace {

using nlohmann::json;

constexpr int deepest_folder = 32;

bool is_yaml(std::string_view name) {
  bool hidden = name.starts_with('.') || name.ends_with('~');
  return !hidden && (name.ends_with(".yaml") || name.ends_with(".yml"));
}

class YamlFiles {
 public:
  YamlFiles(std::string root, bool recursive, const UnreadableFolder& unreadable)
      : root_(std::move(root)), recursive_(recursive), unreadable_(unreadable) {}

  void collect(const std::string& folder, int depth) {
    auto close = [](DIR* directory) { closedir(directory); };
    std::unique_ptr<DIR, decltype(close)> directory(opendir((root_ + "/" + folder).c_str()), close);
    if (directory == nullptr) {
      if (errno != ENOENT && unreadable_) unreadable_(folder, strerror(errno));
      return;
    }
    while (const dirent* entry = readdir(directory.get())) {
      const std::string name = entry->d_name;
      std::string path = folder;
      path.append("/").append(name);
      if (name.starts_with('.')) continue;
      struct stat status{};
      bool known = stat((root_ + "/" + path).c_str(), &status) == 0;
      if (known && S_ISDIR(status.st_mode)) {
        if (recursive_ && depth < deepest_folder) collect(path, depth + 1);
      } else if (is_yaml(name)) {
        paths.insert(path);
      }
    }
  }

  std::set<std::string> paths;

 private:
  std::string root_;
  bool recursive_;
  const UnreadableFolder& unreadable_;
};

class FolderReader {
 public:
  FolderReader(std::string root, ConfigFolder& out) : root_(std::move(root)), out_(out) {}

  void read() {
    out_.sources.flows = files("flows", false);
    out_.sources.quotas = files("quotas", false);
    out_.sources.path_params = files("path_params", true);
    out_.sources.gateway_config = file("gateway_config.yaml");
    out_.sources.metrics = file("metrics.yaml");
    out_.sources.user_processors = file("user_processors/processors_config.yaml");
    out_.sources.policies = file("policies.yaml");
  }

 private:
  void unreadable(const std::string& path, std::string text) {
    out_.unreadable.add({path, {}, Severity::error, "file-unusable", std::move(text)});
  }

  std::optional<SourceFile> file(const std::string& path) {
    auto text = read_file_text(root_ + "/" + path);
    if (!text) {
      unreadable(path, text.error().text);
      return std::nullopt;
    }
    if (!*text) return std::nullopt;
    return SourceFile{path, **std::move(text)};
  }

  std::vector<SourceFile> files(const std::string& folder, bool recursive) {
    auto faulty = [this](const std::string& path, const char* text) { unreadable(path, text); };
    std::vector<SourceFile> out;
    for (const std::string& path : yaml_files(root_, folder, recursive, faulty))
      if (auto one = file(path)) out.push_back(*std::move(one));
    return out;
  }

  std::string root_;
  ConfigFolder& out_;
};

json to_json(const SourceFile& file) {
  return {{"path", file.path}, {"text", json::binary({file.text.begin(), file.text.end()})}};
}

json to_json(const std::vector<SourceFile>& files) {
  json out = json::array();
  for (const SourceFile& file : files) out.push_back(to_json(file));
  return out;
}

json to_json(const std::optional<SourceFile>& file) { return file ? to_json(*file) : json(); }

SourceFile file_from(const json& one) {
  const auto& bytes = one.at("text").get_binary();
  return {one.at("path").get<std::string>(), std::string(bytes.begin(), bytes.end())};
}

std::vector<SourceFile> files_from(const json& list) {
  std::vector<SourceFile> out;
  for (const json& one : list) out.push_back(file_from(one));
  return out;
}

std::optional<SourceFile> optional_file(const json& one) {
  return one.is_null() ? std::nullopt : std::optional(file_from(one));
}

void collect_names(const std::string& text, std::set<std::string>& names) {
  auto belongs = [](char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; };
  for (size_t at = text.find('$'); at != std::string::npos; at = text.find('$', at + 1)) {
    auto end = std::find_if_not(text.begin() + static_cast<ptrdiff_t>(at) + 1, text.end(), belongs);
    names.emplace(text.begin() + static_cast<ptrdiff_t>(at) + 1, end);
  }
}

}  // namespace

std::set<std::string> yaml_files(const std::string& root, const std::string& folder, bool recursive,
                                 const UnreadableFolder& unreadable) {
  YamlFiles files(root, recursive, unreadable);
  files.collect(folder, 0);
  return std::move(files.paths);
}

Result<ConfigFolder> read_config_folder(const std::string& root) {
  struct stat status{};
  if (stat(root.c_str(), &status) != 0) return fail("cannot read " + root, errno);
  if (!S_ISDIR(status.st_mode)) return fail(root + " is no folder", ENOTDIR);
  ConfigFolder out;
  FolderReader(root, out).read();
  return out;
}

EnvironmentVariables named_variables(const Sources& sources, const EnvironmentVariables& environment) {
  std::set<std::string> names;
  for (const SourceFile& file : sources.flows) collect_names(file.text, names);
  EnvironmentVariables out;
  for (const std::string& name : names)
    if (auto found = environment.find(name); found != environment.end()) out.insert(*found);
  return out;
}

json to_json(const ConfigBundle& bundle) {
  const Sources& sources = bundle.sources;
  json findings = json::array();
  for (const Diagnostic& one : bundle.unreadable.list()) findings.push_back({{"file", one.file}, {"text", one.text}});
  return {{"flows", to_json(sources.flows)},
          {"quotas", to_json(sources.quotas)},
          {"path_params", to_json(sources.path_params)},
          {"gateway_config", to_json(sources.gateway_config)},
          {"metrics", to_json(sources.metrics)},
          {"user_processors", to_json(sources.user_processors)},
          {"policies", to_json(sources.policies)},
          {"environment", bundle.environment},
          {"unreadable", std::move(findings)}};
}

Result<ConfigBundle> config_bundle_from_json(const json& body) {
  try {
    ConfigBundle out;
    out.sources = {.flows = files_from(body.at("flows")),
                   .quotas = files_from(body.at("quotas")),
                   .path_params = files_from(body.at("path_params")),
                   .gateway_config = optional_file(body.at("gateway_config")),
                   .metrics = optional_file(body.at("metrics")),
                   .user_processors = optional_file(body.at("user_processors")),
                   .policies = optional_file(body.at("policies"))};
    out.environment = body.at("environment").get<EnvironmentVariables>();
    for (const json& one : body.at("unreadable"))
      out.unreadable.add({one.at("file"), {}, Severity::error, "file-unusable", one.at("text")});
    return out;
  } catch (const json::exception& error) {
    return fail(std::string("a configuration bundle is malformed: ") + error.what());
  }
}

}  // namespace lunar
