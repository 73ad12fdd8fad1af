#include "agent/net/authority_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

#include "agent/base/fd.h"
#include "agent/config/durable_file.h"
#include "agent/net/authority_chain.h"
#include "agent/net/x509_values.h"

namespace lunar {
namespace {

constexpr size_t largest_key_file = 64 * 1024;
constexpr size_t largest_certificate_file = 1024 * 1024;

std::string key_path(const std::string& folder) { return folder + "/key.pem"; }
std::string certificate_path(const std::string& folder) { return folder + "/cert.pem"; }
std::string previous_path(const std::string& folder) { return folder + "/previous.pem"; }

// Into one piece of memory that is wiped, unlike read_whole_file().
Result<Secret> read_key_file(const std::string& path) {
  const Fd file(open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));  // a pipe must not hold us up
  struct stat status{};
  if (!file || fstat(file.get(), &status) != 0) return fail("cannot read " + path, errno);
  if (!S_ISREG(status.st_mode)) return fail(path + " is no file");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return fail(path + " is open to others than its owner; if nobody has read it: chmod 600 " + path);
  if (static_cast<size_t>(status.st_size) > largest_key_file) return fail(path + " is too large");
  Secret out(static_cast<size_t>(status.st_size));
  for (std::span<char> rest = out.bytes(); !rest.empty();) {
    const ssize_t count = read(file.get(), rest.data(), rest.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail("cannot read " + path, errno);
    if (count == 0) return fail(path + " became shorter while it was read");
    rest = rest.subspan(static_cast<size_t>(count));
  }
  return out;
}

Result<std::string> read_certificates(const std::string& path) {
  auto file = read_whole_file(path, largest_certificate_file);
  if (!file) return std::unexpected(file.error());
  return std::move(file->text);
}

struct AuthorityFiles {
  std::string certificates;
  Secret key;
};

// Once more if the authority is replaced meanwhile: the key file has the key of the certificate that is beside it, at
// any time (see write_authority), but not that of the one before.
Result<AuthorityFiles> read_texts(const std::string& folder) {
  auto certificates = read_certificates(certificate_path(folder));
  while (true) {
    if (!certificates && certificates.error().os_error == ENOENT)
      return fail("there is no local authority in " + folder + ": lunarctl ca init", ENOENT);
    if (!certificates) return std::unexpected(certificates.error());
    auto key = read_key_file(key_path(folder));
    if (!key && key.error().os_error == ENOENT)
      return fail(key_path(folder) + " is missing: restore it, or remove " + certificate_path(folder) +
                  " and make a new authority");
    if (!key) return std::unexpected(key.error());
    auto still = read_certificates(certificate_path(folder));
    if (still && *still == *certificates) return AuthorityFiles{std::move(*certificates), std::move(*key)};
    certificates = std::move(still);
  }
}

// What key.pem must keep until cert.pem is replaced: the key of that certificate, or all of it if that cannot be told.
Result<Secret> key_in_force(const std::string& folder) {
  auto keys = read_key_file(key_path(folder));
  if (!keys && keys.error().os_error == ENOENT) return Secret();
  if (!keys) return keys;
  const auto text = read_certificates(certificate_path(folder));
  if (!text) return keys;
  const auto certificates = certificates_from_pem(*text, max_chain_certificates);
  if (!certificates || certificates->empty()) return keys;
  const auto key = private_key_of(keys->view(), *certificates->front());
  return key ? pem_of_private_key(**key) : std::move(keys);
}

Result<> make_folder(const std::string& folder) {
  if (mkdir(folder.c_str(), 0755) == 0) return sync_folder(folder.substr(0, folder.rfind('/')));
  if (errno == EEXIST) return {};
  return fail("cannot create " + folder, errno);
}

AuthorityStamp::File stamp_of(const std::string& path) {
  struct stat status{};
  if (stat(path.c_str(), &status) != 0) return {};
  // Not the time of the last write, which `chmod 600` leaves as it was and `cp -p` sets back.
  const auto changed = std::chrono::seconds(status.st_ctim.tv_sec) + std::chrono::nanoseconds(status.st_ctim.tv_nsec);
  return {.device = status.st_dev, .inode = status.st_ino, .size = status.st_size, .changed = changed};
}

Result<> replace(const std::string& path, std::string_view text, uint32_t mode) {
  return replace_durably(path, path + ".new", text, mode);
}

}  // namespace

Result<LocalAuthority> read_authority(const std::string& folder, WallTime now) {
  auto texts = read_texts(folder);
  if (!texts) return std::unexpected(texts.error());
  auto previous = read_certificates(previous_path(folder));
  if (!previous && previous.error().os_error != ENOENT) return std::unexpected(previous.error());
  auto out = LocalAuthority::load({.key = texts->key.view(),
                                   .certificates = texts->certificates,
                                   .previous = previous ? *previous : std::string_view()},
                                  now);
  if (!out) return fail(folder + ": " + out.error().text, out.error().os_error);
  return out;
}

AuthorityStamp authority_stamp(const std::string& folder) {
  return {.certificates = stamp_of(certificate_path(folder)), .key = stamp_of(key_path(folder))};
}

Result<> write_authority(const std::string& folder, const LocalAuthority& authority) {
  if (auto made = make_folder(folder); !made) return made;
  const auto key = authority.key_pem();
  if (!key) return std::unexpected(key.error());
  const auto before = key_in_force(folder);
  if (!before) return std::unexpected(before.error());
  if (auto done = replace(previous_path(folder), authority.previous_pem(), 0644); !done) return done;
  // Two files cannot be replaced at once. So the key file has both keys while the certificate, which says which of them
  // counts, is replaced.
  if (auto done = replace(key_path(folder), Secret({key->view(), before->view()}).view(), 0600); !done) return done;
  if (auto done = replace(certificate_path(folder), authority.certificates_pem(), 0644); !done) return done;
  return replace(key_path(folder), key->view(), 0600);
}

}  // namespace lunar
