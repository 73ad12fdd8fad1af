// The configuration root as something that is replaced as a whole, and its backups.
//
// A change is first written completely to one file of the state folder, which its final name commits: from then on it
// will happen, by this process or by recover() at the next start. Then the files of the root are replaced one by one.
// So whatever ends the process leaves the old configuration or the new one, and never a mixture.
#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "agent/config/config_change.h"
#include "flowengine/result.h"

namespace lunar {

class ConfigStore {
 public:
  // `backups`: how many are kept.
  ConfigStore(std::string root, std::string state_folder, uint32_t backups)
      : root_(std::move(root)), state_(std::move(state_folder)), backups_(backups) {}

  // Ends what a killed process had begun; true if there was something. Before anybody reads the root.
  [[nodiscard]] Result<bool> recover() const;

  // All parts as they are on the disk.
  [[nodiscard]] Result<ConfigChange> current() const;
  // An error leaves the root as it was, or a change that recover() will end.
  [[nodiscard]] Result<> replace(const ConfigChange& change) const;
  // The change that leaves these files out; all of them must be there.
  [[nodiscard]] Result<ConfigChange> without(const std::vector<std::pair<ConfigPart, std::string>>& files) const;
  [[nodiscard]] Result<> make_folders() const;

  // The root as it is now, below the state folder under `lunar-proxy-<seconds>`, or a later number if that is taken;
  // the name. Complete before it has that name.
  [[nodiscard]] Result<std::string> back_up(int64_t unix_seconds) const;
  [[nodiscard]] Result<ConfigChange> backed_up(const std::string& checkpoint) const;
  [[nodiscard]] std::vector<std::string> checkpoints() const;  // oldest first
  void remove_backup(const std::string& checkpoint) const;
  void remove_old_backups() const;

 private:
  [[nodiscard]] std::string journal() const { return state_ + "/configuration.pending"; }

  std::string root_, state_;
  uint32_t backups_;
};

}  // namespace lunar
