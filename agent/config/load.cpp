#include "agent/config/load.h"

#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/config/file_text.h"

namespace lunar {
namespace {

bool exists(const std::string& path) {
  struct stat found{};
  return stat(path.c_str(), &found) == 0;
}

std::string random_name() {
  constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz012345";  // 32, so that every letter is as likely
  unsigned char bytes[12]{};
  std::string out = "gateway-";
  if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes) return out + std::to_string(getpid());
  for (unsigned char byte : bytes) out += letters[byte % letters.size()];
  return out;
}

void make_absolute(std::string& path, const std::string& root) {
  if (!path.empty() && !path.starts_with('/')) path = root + "/" + path;
}

void settle(LoadedConfig& loaded) {
  LunardConfig& config = loaded.config;
  for (std::string* path : {&config.listeners.tls_certificate, &config.admin.api_key_file, &config.hub.api_key_file,
                            &config.redis.ca, &config.redis.cert, &config.redis.key, &config.tls.ca_dir})
    make_absolute(*path, config.config_dir);
  if (config.tls.ca_dir.empty()) config.tls.ca_dir = config.state.dir + "/ca";
  if (config.instance_id.empty()) config.instance_id = random_name();
  if (exists(config.listeners.tls_certificate)) return;
  if (config.listeners.tls != default_config().listeners.tls)
    loaded.notes.push_back("listeners.tls stays closed: " + config.listeners.tls_certificate + " does not exist");
  config.listeners.tls.reset();
}

}  // namespace

Environment environment_from(const char* const* environ_block) {
  Environment out;
  for (const char* const* entry = environ_block; *entry != nullptr; ++entry) {
    std::string_view text = *entry;
    size_t equals = text.find('=');
    if (equals != std::string_view::npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

LoadedConfig load_lunard_config(const CommandLine& command_line, const Environment& environment) {
  std::string root = resolve_config(command_line, environment, std::nullopt).config.config_dir;
  auto text = read_file_text(root + "/lunard.yaml");
  LoadedConfig loaded = resolve_config(command_line, environment, text ? *text : std::nullopt);
  if (!text) loaded.diagnostics.add({"lunard.yaml", {}, Severity::error, "file-unusable", text.error().text});
  settle(loaded);
  return loaded;
}

}  // namespace lunar
