#include "agent/config/config_store.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>

#include "agent/config/durable_file.h"
#include "agent/config/root_files.h"

namespace lunar {
namespace {

using nlohmann::json;

constexpr std::string_view checkpoint_prefix = "lunar-proxy-";
constexpr size_t largest_journal = size_t{1} << 30;

std::optional<int64_t> number_of(std::string_view checkpoint) {
  if (!checkpoint.starts_with(checkpoint_prefix)) return std::nullopt;
  checkpoint.remove_prefix(checkpoint_prefix.size());
  int64_t number = 0;
  const char* const end = checkpoint.data() + checkpoint.size();
  const auto [stop, error] = std::from_chars(checkpoint.data(), end, number);
  const bool plain = error == std::errc{} && stop == end && number >= 0 && std::to_string(number) == checkpoint;
  return plain ? std::optional(number) : std::nullopt;
}

std::string name_of(int64_t number) { return std::string(checkpoint_prefix) + std::to_string(number); }

json to_json(const ConfigFiles& files) {
  json out = json::object();
  for (const auto& [path, file] : files)
    out[path] = {{"mode", file.mode}, {"text", json::binary({file.text.begin(), file.text.end()})}};
  return out;
}

ConfigFiles files_from(const json& object) {
  ConfigFiles out;
  for (const auto& [path, file] : object.items()) {
    const auto& bytes = file.at("text").get_binary();
    out.emplace(path, ConfigFile{std::string(bytes.begin(), bytes.end()), file.at("mode").get<uint32_t>()});
  }
  return out;
}

std::string journal_text(const std::string& root, const ConfigChange& change) {
  json parts = json::object();
  for (const auto& [part, files] : change.parts) parts[std::string(part_name(part))] = to_json(files);
  const std::vector<uint8_t> bytes = json::to_cbor({{"root", root}, {"parts", std::move(parts)}});
  return {bytes.begin(), bytes.end()};
}

struct Pending {
  std::string root;
  ConfigChange change;
};

Result<Pending> pending_from(const std::string& text) {
  try {
    const json document = json::from_cbor(text);
    Pending out{.root = document.at("root").get<std::string>(), .change = {}};
    const json& parts = document.at("parts");
    for (const ConfigPart part : config_parts)
      if (const auto found = parts.find(part_name(part)); found != parts.end())
        out.change.parts[part] = files_from(*found);
    return out;
  } catch (const json::exception& error) {
    return fail(error.what(), EBADMSG);
  }
}

}  // namespace

Result<bool> ConfigStore::recover() const {
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(state_, error))
    if (entry.path().filename().string().starts_with(".lunar-proxy-")) std::filesystem::remove_all(entry.path(), error);
  unlink((journal() + ".new").c_str());
  auto text = read_whole_file(journal(), largest_journal);
  if (!text && text.error().os_error == ENOENT) return false;
  if (!text) return std::unexpected(text.error());
  auto pending = pending_from(text->text);
  if (!pending) return fail(journal() + " cannot be understood, remove it: " + pending.error().text, EBADMSG);
  if (pending->root != root_)
    return fail(journal() + " is about " + pending->root + ": start lunard with that once, or remove it");
  bool begun = false;
  if (auto written = write_parts(root_, pending->change, begun); !written) return std::unexpected(written.error());
  if (unlink(journal().c_str()) != 0) return fail("cannot remove " + journal(), errno);
  return true;
}

Result<ConfigChange> ConfigStore::current() const { return read_parts(root_); }

Result<> ConfigStore::replace(const ConfigChange& change) const {
  if (auto written = replace_durably(journal(), journal() + ".new", journal_text(root_, change), 0600); !written)
    return written;
  bool begun = false;
  auto written = write_parts(root_, change, begun);
  // While nothing is visible it can be taken back; else it has to be ended, now or later.
  if (written || !begun) unlink(journal().c_str());
  return written;
}

Result<ConfigChange> ConfigStore::without(const std::vector<std::pair<ConfigPart, std::string>>& files) const {
  auto all = current();
  if (!all) return all;
  ConfigChange out;
  for (const auto& [part, path] : files) {
    const auto at = out.parts.emplace(part, all->parts[part]).first;
    if (at->second.erase(path) == 0) return fail("there is no " + path, ENOENT);
  }
  return out;
}

Result<> ConfigStore::make_folders() const {
  for (const ConfigPart part : config_parts)
    if (is_folder(part))
      if (auto made = make_folder(root_ + "/" + part_path(part)); !made) return made;
  return {};
}

Result<std::string> ConfigStore::back_up(int64_t unix_seconds) const {
  auto all = current();
  if (!all) return std::unexpected(all.error());
  const std::vector<std::string> taken = checkpoints();
  const int64_t after = taken.empty() ? 0 : number_of(taken.back()).value_or(0) + 1;
  std::string name = name_of(std::max(unix_seconds, after));
  const std::string unnamed = state_ + "/." + name;
  bool begun = false;
  auto written = make_folder(unnamed);
  if (written) written = write_parts(unnamed, *all, begun);
  if (written && rename(unnamed.c_str(), (state_ + "/" + name).c_str()) != 0)
    written = fail("cannot create " + name, errno);
  if (written) written = sync_folder(state_);
  if (written) return name;
  std::error_code error;
  std::filesystem::remove_all(unnamed, error);
  return std::unexpected(written.error());
}

Result<ConfigChange> ConfigStore::backed_up(const std::string& checkpoint) const {
  std::error_code error;
  if (!number_of(checkpoint) || !std::filesystem::is_directory(state_ + "/" + checkpoint, error))
    return fail("there is no backup `" + checkpoint + "`", ENOENT);
  return read_parts(state_ + "/" + checkpoint);
}

std::vector<std::string> ConfigStore::checkpoints() const {
  std::error_code error;
  std::vector<int64_t> numbers;
  for (const auto& entry : std::filesystem::directory_iterator(state_, error))
    if (const auto number = number_of(entry.path().filename().string()); number && entry.is_directory(error))
      numbers.push_back(*number);
  std::ranges::sort(numbers);
  std::vector<std::string> out;
  for (const int64_t number : numbers) out.push_back(name_of(number));
  return out;
}

// Without its name first, so that what is left of it is no backup.
void ConfigStore::remove_backup(const std::string& checkpoint) const {
  if (!number_of(checkpoint)) return;
  const std::string unnamed = state_ + "/." + checkpoint;
  std::error_code error;
  std::filesystem::rename(state_ + "/" + checkpoint, unnamed, error);
  std::filesystem::remove_all(unnamed, error);
}

void ConfigStore::remove_old_backups() const {
  const std::vector<std::string> all = checkpoints();
  for (size_t i = 0; i + backups_ < all.size(); ++i) remove_backup(all[i]);
}

}  // namespace lunar
