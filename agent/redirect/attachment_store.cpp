#include "agent/redirect/attachment_store.h"

#include <fcntl.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "agent/base/fd.h"

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

Result<> write_whole(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0) return fail("cannot write", errno);
    text.remove_prefix(static_cast<size_t>(written));
  }
  if (fsync(fd) != 0) return fail("cannot write to disk", errno);
  return {};
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
  const std::string draft = file + ".new";
  {
    const Fd fd(open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd) return fail("cannot create " + draft, errno);
    if (auto written = write_whole(fd.get(), text); !written)
      return fail(written.error().text + ": " + draft, written.error().os_error);
  }
  if (rename(draft.c_str(), file.c_str()) != 0) return fail("cannot replace " + file, errno);
  const Fd directory(open(std::filesystem::path(file).parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || fsync(directory.get()) != 0) return fail("cannot make " + file + " durable", errno);
  return {};
}

}  // namespace lunar
