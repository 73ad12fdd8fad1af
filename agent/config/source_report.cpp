#include "agent/config/source_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>

#include "agent/config/masked_text.h"
#include "flowengine/digest.h"

namespace lunar {
namespace {

using nlohmann::json;

void add(json& list, std::string_view type, const std::string& name, const SourceFile& file) {
  list.push_back(
      {{"type", type}, {"file_name", name}, {"content", masked_text(file.text)}, {"md5", md5_hex(file.text)}});
}

void add(json& list, std::string_view type, const std::vector<SourceFile>& files) {
  for (const SourceFile& file : files) add(list, type, file.path.substr(file.path.find('/') + 1), file);
}

void add(json& list, std::string_view type, const std::optional<SourceFile>& file) {
  if (file) add(list, type, file->path, *file);
}

}  // namespace

Sources without_files(Sources sources, const std::vector<std::string>& paths) {
  const auto left_out = [&paths](const SourceFile& file) { return std::ranges::find(paths, file.path) != paths.end(); };
  for (auto* files : {&sources.flows, &sources.quotas, &sources.path_params}) std::erase_if(*files, left_out);
  for (auto* file : {&sources.gateway_config, &sources.metrics})
    if (*file && left_out(**file)) file->reset();
  return sources;
}

json describe_files(const Sources& sources) {
  json list = json::array();
  add(list, "flow", sources.flows);
  add(list, "quota", sources.quotas);
  add(list, "path_param", sources.path_params);
  add(list, "gateway_config", sources.gateway_config);
  add(list, "metrics", sources.metrics);
  return list;
}

}  // namespace lunar
