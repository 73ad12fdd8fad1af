#include "agent/redirect/attachment_store.h"

#include <cerrno>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/config/durable_file.h"

namespace lunar {

namespace {

using nlohmann::json;

constexpr int format_version = 1;

StoredAttachment from_json(const json& entry) {
  StoredAttachment out;
  out.target = entry.at("target").get<std::string>();
  const auto policy = entry.value("policy", std::string("capture"));
  if (policy != "capture" && policy != "bypass") throw std::invalid_argument("policy is neither capture nor bypass");
  out.options.policy = policy == "bypass" ? Policy::bypass : Policy::capture;
  out.options.netns = entry.value("netns", false);
  return out;
}

json to_json(const StoredAttachment& attachment) {
  return {{"target", attachment.target},
          {"policy", attachment.options.policy == Policy::bypass ? "bypass" : "capture"},
          {"netns", attachment.options.netns}};
}

}  // namespace

Result<std::vector<StoredAttachment>> read_attachments(const std::string& file) {
  std::ifstream in(file);
  if (!in) {
    if (errno == ENOENT) return {};
    return fail("cannot read " + file, errno);
  }
  try {
    const json document = json::parse(in);
    if (document.at("version") != format_version) return fail(file + " was written by another version of lunard");
    std::vector<StoredAttachment> out;
    for (const json& entry : document.at("attachments")) out.push_back(from_json(entry));
    return out;
  } catch (const std::exception& error) {
    return fail(file + " is damaged: " + error.what() + "; repair it or remove it");
  }
}

Result<> write_attachments(const std::string& file, const std::vector<StoredAttachment>& attachments) {
  json list = json::array();
  for (const StoredAttachment& attachment : attachments) list.push_back(to_json(attachment));
  const std::string text = json{{"version", format_version}, {"attachments", std::move(list)}}.dump(2) + "\n";
  return replace_durably(file, file + ".new", text, 0600);
}

}  // namespace lunar
