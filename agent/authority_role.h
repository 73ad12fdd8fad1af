// The local certificate authority in the hands of the supervisor: gateways ask it for leaf certificates.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>

#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/config/lunard_config.h"
#include "agent/net/authority.h"
#include "agent/net/authority_files.h"
#include "flowengine/result.h"

namespace lunar {

// What is in the folder counts: it is looked at when a gateway starts and with every question, and read again when its
// files have changed, so that a new authority needs no restart. News about it is logged, questions are not.
class AuthorityRole {
 public:
  AuthorityRole(EventLoop& loop, const TlsConfig& config);
  AuthorityRole(const AuthorityRole&) = delete;
  AuthorityRole& operator=(const AuthorityRole&) = delete;

  // For a gateway that starts: where it asks (see MintQuestions). Its questions are answered until that is closed.
  [[nodiscard]] Result<Fd> connect();

  // An error is for the gateway, which passes the connection through.
  [[nodiscard]] Result<MintedLeaf> mint(LeafRequest request, WallTime now);

 private:
  struct Asker {
    Fd answering;
    EventLoop::Source source;  // ends before the descriptor that it watches
  };

  [[nodiscard]] bool must_read(WallTime now) const;
  void look(WallTime now);
  void read(WallTime now);
  void tell_news();
  void warn_of_end(WallTime now);

  EventLoop& loop_;
  const std::string folder_;
  const std::chrono::seconds leaf_lifetime_;
  std::map<int, Asker> askers_;  // one a gateway, by descriptor

  std::optional<AuthorityStamp> stamp_;  // from before the reading; none: not read yet
  WallTime read_at_{};
  Result<LocalAuthority> authority_;
  std::string news_;  // said last
  std::optional<WallTime> warned_at_;
};

}  // namespace lunar
