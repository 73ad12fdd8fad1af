#include "agent/failsafe/places.h"

#include <grp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "agent/base/log.h"

namespace lunar {
namespace {

Result<> make_folder(const std::filesystem::path& folder, mode_t mode, const std::optional<Identity>& owner) {
  std::error_code error;
  if (folder.empty() || std::filesystem::is_directory(folder, error)) return {};
  if (folder.has_parent_path()) std::filesystem::create_directories(folder.parent_path(), error);
  if (mkdir(folder.c_str(), mode) != 0 && errno != EEXIST) return fail("cannot create " + folder.string(), errno);
  if (owner && chown(folder.c_str(), owner->uid, owner->gid) != 0)
    return fail("cannot give " + folder.string() + " to " + owner->name, errno);
  return {};
}

Result<sockaddr_un> socket_address(const std::string& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  if (path.size() >= sizeof address.sun_path) return fail("the path of a socket is too long: " + path, ENAMETOOLONG);
  memcpy(address.sun_path, path.data(), path.size());
  return address;
}

Result<Fd> listen_at(const std::string& path, mode_t mode) {
  auto address = socket_address(path);
  if (!address) return std::unexpected(address.error());
  Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail("cannot open a unix socket", errno);
  unlink(path.c_str());
  const mode_t mask = umask(0777 & ~mode);
  const bool bound = bind(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) == 0;
  const int error = errno;
  umask(mask);
  if (!bound) return fail("cannot bind " + path, error);
  if (listen(fd.get(), 64) != 0) return fail("cannot listen on " + path, errno);
  return fd;
}

}  // namespace

Result<> make_places(const LunardConfig& config, const std::optional<Identity>& gateway) {
  const auto parent = [](const std::string& path) { return std::filesystem::path(path).parent_path(); };
  if (auto made = make_folder(parent(config.control.socket), 0755, {}); !made) return made;
  if (auto made = make_folder(config.state.dir, 0751, {}); !made) return made;
  // Without it the gateway works, and its counters begin anew with every start.
  if (auto made = make_folder(gateway_state_folder(config.state.dir), 0750, gateway); !made)
    log::warn("quotas will not be saved: {}: {}", made.error().text, strerror(made.error().os_error));
  return make_folder(parent(config.access_log.path), 0750, gateway);
}

std::string gateway_state_folder(const std::string& state_dir) {
  return state_dir.empty() ? "" : state_dir + "/gateway";
}

std::string internal_socket(const std::string& control_socket) { return control_socket + ".gateway"; }

bool answers(const std::string& socket_path) {
  const auto address = socket_address(socket_path);
  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!address || !fd) return false;
  const int result = connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address);
  return result == 0 || errno == EAGAIN;  // its queue is full: somebody is there
}

Result<Fd> listen_for_control(const ControlConfig& control) {
  auto fd = listen_at(control.socket, 0660);
  if (!fd || control.group.empty()) return fd;
  const group* owner = getgrnam(control.group.c_str());
  if (owner == nullptr) {
    log::warn("there is no group '{}': only root may use {}", control.group, control.socket);
  } else if (chown(control.socket.c_str(), static_cast<uid_t>(-1), owner->gr_gid) != 0) {
    return fail("cannot give " + control.socket + " to the group " + control.group, errno);
  }
  return fd;
}

Result<Fd> listen_for_owner(const std::string& path) { return listen_at(path, 0600); }

}  // namespace lunar
