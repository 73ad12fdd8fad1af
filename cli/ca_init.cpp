// ca init, ca rotate
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <iterator>
#include <memory>
#include <optional>
#include <ostream>

#include "agent/base/endpoint.h"
#include "agent/config/durable_file.h"
#include "agent/net/authority_chain.h"
#include "agent/net/authority_files.h"
#include "agent/net/tls_files.h"
#include "agent/net/x509_values.h"
#include "cli/ca.h"
#include "cli/trust_environment.h"

namespace lunar::cli {
namespace {

constexpr size_t largest_certificate_file = 1024 * 1024;
constexpr int most_years = 30;

struct Making {
  std::string folder;
  std::vector<std::string> permit;
  std::string lifetime = "10y";
  std::string certificate;  // of the operator's CA; empty: a root of our own is made
  std::string key;
};

// Folders that are made meanwhile can be entered by everybody: programs read the bundle below them.
class OpenFolders {
 public:
  OpenFolders() : before_(::umask(022)) {}
  OpenFolders(const OpenFolders&) = delete;
  OpenFolders& operator=(const OpenFolders&) = delete;
  ~OpenFolders() { ::umask(before_); }

 private:
  mode_t before_;
};

// One after the other: two that write at the same time could leave the key of one and the certificate of the other.
class Turn {
 public:
  // The folder of the authority itself may not be there yet.
  explicit Turn(const std::string& folder)
      : above_(::open(folder.substr(0, folder.rfind('/') + 1).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    while (above_ >= 0 && ::flock(above_, LOCK_EX) != 0 && errno == EINTR) {
    }
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (above_ >= 0) ::close(above_);
  }

 private:
  int above_;
};

// 90d or 10y, a year having 365.25 days.
std::optional<std::chrono::seconds> parse_lifetime(std::string_view text) {
  unsigned count = 0;
  const char* end = text.data() + text.size();
  const auto [unit, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc{} || unit + 1 != end || count == 0 || count > 366 * most_years) return std::nullopt;
  if (*unit == 'd') return std::chrono::days(count);
  if (*unit == 'y' && count <= most_years) return std::chrono::days(count * 1461 / 4);
  return std::nullopt;
}

std::string own_hostname() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

PermittedNames permitted_names(const std::vector<std::string>& names) {
  PermittedNames out;
  for (const std::string& name : names) {
    if (const auto range = Prefix::parse(name))
      out.addresses.push_back(*range);
    else
      out.dns.push_back(name);
  }
  return out;
}

Result<LocalAuthority> read_import(const Making& asked, const std::string& previous) {
  const auto certificates = read_whole_file(asked.certificate, largest_certificate_file);
  if (!certificates) return std::unexpected(certificates.error());
  const auto key = read_private_key(asked.key);
  if (!key && key.error().os_error == EACCES) return fail("cannot read " + asked.key, EACCES);
  if (!key) return fail(key.error().text);
  const auto text = pem_of_private_key(**key);
  if (!text) return std::unexpected(text.error());
  return LocalAuthority::load({.key = text->view(), .certificates = certificates->text, .previous = previous},
                              wall_now());
}

// The settings of a root, or the exit code.
std::expected<RootSettings, int> root_settings(const Session& session, const Making& asked) {
  const auto lifetime = parse_lifetime(asked.lifetime);
  if (!lifetime)
    return std::unexpected(
        complain(session, "--lifetime is a number of days or years from 1d to 30y, such as 10y", wire::Exit::usage));
  RootSettings out{.hostname = own_hostname(), .permitted = permitted_names(asked.permit), .lifetime = *lifetime};
  if (const auto constraints = name_constraints(out.permitted); !constraints)
    return std::unexpected(complain(session, "--permit: " + constraints.error().text, wire::Exit::usage));
  return out;
}

int tell(const Session& session, const std::string& folder, LocalAuthority authority, const char* next) {
  auto roots = roots_of(authority, wall_now());
  if (!roots) return complain_of_files(session, roots.error());
  const Ca ca{.folder = folder, .authority = std::move(authority), .roots = std::move(*roots)};
  const int out = present(session, description_of(ca), print_description);
  if (!session.json) session.terminal.out << next << '\n';
  return out;
}

int init(const Session& session, const Making& asked) {
  const auto folder = ca_folder(session, asked.folder);
  if (!folder) return folder.error();
  const Turn turn(*folder);
  const auto existing = read_authority(*folder, wall_now());
  if (existing)
    return complain(session,
                    "there is a local authority in " + *folder + " already; `lunarctl ca rotate` makes its successor",
                    wire::Exit::refused);
  if (existing.error().os_error != ENOENT) return complain_of_files(session, existing.error());
  const auto settings = root_settings(session, asked);
  if (!settings) return settings.error();
  auto made = asked.certificate.empty() ? LocalAuthority::create(*settings, wall_now()) : read_import(asked, "");
  if (!made) return complain_of_files(session, made.error());
  const OpenFolders open;
  if (auto written = write_authority(*folder, *made); !written) {
    Error error = written.error();
    if (error.os_error == ENOENT) error = {error.text + ": the folder above it is missing; make it, or start lunard"};
    return complain_of_files(session, error);
  }
  return tell(session, *folder, std::move(*made),
              "Programs trust it after `lunarctl ca install`; those with roots of their own need `lunarctl ca env`.");
}

// Also one that expired, as it was when it was valid.
Result<LocalAuthority> read_for_rotation(const std::string& folder) {
  const auto text = read_whole_file(folder + "/cert.pem", largest_certificate_file);
  const auto chain = text ? certificates_from_pem(text->text, max_chain_certificates)
                          : Result<std::vector<CertificatePtr>>(std::vector<CertificatePtr>());
  WallTime when = wall_now();
  if (chain) {
    for (const CertificatePtr& certificate : *chain)
      if (const auto validity = validity_of(*certificate); validity && when >= validity->not_after)
        when = validity->not_after - std::chrono::seconds(1);
  }
  return read_authority(folder, when);
}

// The successor of `old`; it keeps what it was confined to unless it is told otherwise.
std::expected<LocalAuthority, int> successor(const Session& session, Making asked, const LocalAuthority& old) {
  const AuthorityDescription& before = old.describe();
  Result<LocalAuthority> out = fail("");
  if (!asked.certificate.empty()) {
    out = read_import(asked, old.trust_bundle(wall_now()));
  } else if (before.issuer != before.subject) {
    return std::unexpected(complain(session,
                                    "the authority is an intermediate of " + printable(before.issuer) +
                                        "; give its successor: --import CERT --key KEY",
                                    wire::Exit::refused));
  } else {
    if (asked.permit.empty())
      std::ranges::copy_if(before.permitted, std::back_inserter(asked.permit),
                           [](const std::string& name) { return !name.starts_with("not "); });
    const auto settings = root_settings(session, asked);
    if (!settings) return std::unexpected(settings.error());
    out = old.rotate(*settings, wall_now());
  }
  if (!out) return std::unexpected(complain_of_files(session, out.error()));
  return std::move(*out);
}

int rotate(const Session& session, const Making& asked) {
  const auto folder = ca_folder(session, asked.folder);
  if (!folder) return folder.error();
  const Turn turn(*folder);
  const auto old = read_for_rotation(*folder);
  if (!old) return complain_of_files(session, old.error());
  auto fresh = successor(session, asked, *old);
  if (!fresh) return fresh.error();
  const auto roots = roots_of(*fresh, wall_now());
  if (!roots) return complain_of_files(session, roots.error());
  // First, so that a program that starts meanwhile trusts whatever it is shown.
  if (has_trust_environment(*folder)) {
    if (auto written = write_trust_environment(*folder, FileTree(), *roots); !written)
      return complain_of_files(session, written.error());
  }
  if (auto written = write_authority(*folder, *fresh); !written) return complain_of_files(session, written.error());
  return tell(session, *folder, std::move(*fresh),
              "Programs trust the new root after `lunarctl ca install` and a restart; the earlier ones stay trusted. "
              "Connections of a program that does not trust it yet are passed through.");
}

void declare(CLI::App& word, Session& session, Action& chosen, const std::shared_ptr<Making>& asked,
             int (*run)(const Session&, const Making&)) {
  CLI::Option* permit =
      word.add_option("--permit", asked->permit, "a domain with all names below it, or an address range")
          ->type_name("NAME")
          ->allow_extra_args(false);
  CLI::Option* lifetime = word.add_option("--lifetime", asked->lifetime, "how long the root is valid, in days or years")
                              ->type_name("TIME")
                              ->capture_default_str();
  CLI::Option* certificate =
      word.add_option("--import", asked->certificate,
                      "PEM file of a CA of yours that signs instead, followed by the certificates above it")
          ->type_name("CERT")
          ->excludes(permit)
          ->excludes(lifetime);
  CLI::Option* key = word.add_option("--key", asked->key, "PEM file of the private key of that CA")->type_name("KEY");
  certificate->needs(key);
  key->needs(certificate);
  word.callback([asked, run, &session, &chosen] { chosen = [asked, run, &session] { return run(session, *asked); }; });
}

}  // namespace

void declare_ca_making(CLI::App& app, Session& session, Action& chosen) {
  auto made = std::make_shared<Making>();
  declare(*add_word(app, {"init", "make the local authority, where there is none"}, made->folder), session, chosen,
          made, init);
  auto rotated = std::make_shared<Making>();
  declare(
      *add_word(app, {"rotate", "replace its root by a new one; earlier roots stay in the bundle"}, rotated->folder),
      session, chosen, rotated, rotate);
}

}  // namespace lunar::cli
