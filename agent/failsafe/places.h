// The folders and unix sockets that lunard has on this machine.
#pragma once

#include <optional>
#include <string>

#include "agent/base/fd.h"
#include "agent/config/lunard_config.h"
#include "agent/failsafe/identity.h"
#include "flowengine/result.h"

namespace lunar {

// Makes the folders of control socket, state and access log where they are missing (systemd and the package make them
// otherwise); the log's is the gateway's, which writes and rotates there.
[[nodiscard]] Result<> make_places(const LunardConfig& config, const std::optional<Identity>& gateway);

// Where the gateway answers the supervisor.
// What the gateway process itself keeps over restarts; its own, because the rest of the folder is root's.
[[nodiscard]] std::string gateway_state_folder(const std::string& state_dir);
[[nodiscard]] std::string internal_socket(const std::string& control_socket);

// Whether somebody accepts connections on this unix socket.
[[nodiscard]] bool answers(const std::string& socket_path);

// Bound and listening in place of whatever was left at the path: mode 0660, root and the group of the configuration.
[[nodiscard]] Result<Fd> listen_for_control(const ControlConfig& control);
// The same for the supervisor alone: mode 0600.
[[nodiscard]] Result<Fd> listen_for_owner(const std::string& path);

}  // namespace lunar
