#include "agent/authority_role.h"

#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "agent/base/log.h"
#include "agent/net/minting.h"

namespace lunar {
namespace {

using namespace std::chrono_literals;

// Some faults go away without a change of the files: a clock that was wrong at boot, too many open files.
constexpr auto kTryAgainAfter = 10s;
constexpr auto kEndsSoon = std::chrono::days(30);
constexpr auto kWarnEvery = std::chrono::days(1);

WallTime wall_now() { return std::chrono::time_point_cast<WallTime::duration>(std::chrono::system_clock::now()); }

// The clock may be set back.
bool apart(WallTime one, WallTime other, WallTime::duration least) { return std::chrono::abs(one - other) >= least; }

}  // namespace

AuthorityRole::AuthorityRole(EventLoop& loop, const TlsConfig& config)
    : loop_(loop),
      folder_(config.ca_dir),
      leaf_lifetime_(std::chrono::floor<std::chrono::seconds>(config.leaf_lifetime)),
      authority_(fail("not read yet")) {}

Result<Fd> AuthorityRole::connect() {
  look(wall_now());
  auto sockets = open_minting();
  if (!sockets) return std::unexpected(sockets.error());
  const int fd = sockets->answering.get();
  auto source = loop_.io(fd, EPOLLIN, [this, fd](uint32_t) {
    if (!answer_mint_questions(fd, [this](const LeafRequest& request) { return mint(request, wall_now()); }))
      askers_.erase(fd);
  });
  if (!source) return fail("the event loop does not watch the socket for leaf certificates");
  askers_.emplace(fd, Asker{std::move(sockets->answering), std::move(source)});
  return std::move(sockets->asking);
}

Result<MintedLeaf> AuthorityRole::mint(LeafRequest request, WallTime now) {
  look(now);
  if (!authority_) return std::unexpected(authority_.error());
  request.lifetime = std::min(request.lifetime, leaf_lifetime_);
  return authority_->mint(request, now);
}

bool AuthorityRole::must_read(WallTime now) const {
  if (stamp_ != authority_stamp(folder_)) return true;
  return authority_ ? now >= authority_->end() : apart(now, read_at_, kTryAgainAfter);
}

void AuthorityRole::look(WallTime now) {
  if (must_read(now)) read(now);
  if (authority_) warn_of_end(now);
}

void AuthorityRole::read(WallTime now) {
  stamp_ = authority_stamp(folder_);
  read_at_ = now;
  authority_ = read_authority(folder_, now);
  tell_news();
}

void AuthorityRole::tell_news() {
  auto level = spdlog::level::info;
  std::string news;
  if (authority_) {
    const AuthorityDescription& about = authority_->describe();
    news = fmt::format("the certificate authority is {}, valid until {}, SHA-256 {}", about.subject,
                       date_text(authority_->end()), about.fingerprint);
  } else if (authority_.error().os_error == ENOENT) {
    level = spdlog::level::warn;
    news = fmt::format("no certificate authority in {}: TLS is passed through; `lunarctl ca init` makes one", folder_);
  } else {
    const Error& error = authority_.error();
    level = spdlog::level::err;
    news = "the certificate authority cannot be used, TLS is passed through: " + error.text;
    if (error.os_error != 0) news += fmt::format(": {}", strerror(error.os_error));
  }
  if (std::exchange(news_, news) == news) return;
  spdlog::log(level, "{}", news);
  warned_at_.reset();
}

void AuthorityRole::warn_of_end(WallTime now) {
  if (authority_->end() - now > kEndsSoon || (warned_at_ && !apart(now, *warned_at_, kWarnEvery))) return;
  warned_at_ = now;
  log::warn("the certificate authority ends on {}: `lunarctl ca rotate` while clients can still be given the new root",
            date_text(authority_->end()));
}

}  // namespace lunar
