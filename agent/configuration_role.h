// The configuration root in the hands of the supervisor: it reads and replaces the files, and the gateway judges them.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "agent/admin/configuration_request.h"
#include "agent/base/channel.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/config/config_store.h"
#include "agent/config/lunard_config.h"

namespace lunar {

class ConfigurationRole {
 public:
  using Done = std::function<void(Result<nlohmann::json>)>;
  using Send = std::function<Result<>(const nlohmann::json&, std::span<const int>)>;  // to the serving gateway

  ConfigurationRole(EventLoop& loop, const LunardConfig& config, Send send);

  void recover();                        // once, before the first reading
  [[nodiscard]] Result<Fd> for_start();  // the root as a bundle, for a gateway that starts

  // The gateway's {"accepted","msg","error","diagnostics"} about the root. `activate`: else it is only checked.
  void reload(bool activate, Done done);
  void configure(admin::ConfigurationRequest request, const admin::ConfigurationAnswered& done);

  // What the gateway says.
  void on_reloaded(const nlohmann::json& message);
  void on_request(const ChannelMessage& message);
  void on_serving();
  void on_lost();

 private:
  using Bundle = std::function<Result<Fd>()>;
  struct Question {  // one at a time is with the gateway
    bool activate = false;
    Bundle bundle;
    Done done;
  };
  struct Change {
    ConfigChange change;
    std::string asked_by, checkpoint;
    std::function<void(admin::ConfigurationAnswer)> done;
  };

  void ask(Question question);
  void ask_next();
  void finish(Result<nlohmann::json> outcome);

  void check(const admin::ConfigurationRequest& request, const admin::ConfigurationAnswered& done);
  void apply(const admin::ConfigurationRequest& request, const admin::ConfigurationAnswered& done);
  void operate(const admin::ConfigurationRequest& request, const admin::ConfigurationAnswered& done);
  [[nodiscard]] Result<ConfigChange> change_of(const ConfigOperation& operation) const;
  [[nodiscard]] admin::ConfigurationAnswer everything() const;
  void begin(Change change);
  void replace();
  void judged(const Result<nlohmann::json>& outcome);
  void take_back(admin::ConfigurationAnswer answer, bool told_no);
  void end(admin::ConfigurationAnswer answer);
  [[nodiscard]] Result<Fd> as_it_is() const { return as_it_would_be({}); }
  [[nodiscard]] Result<Fd> as_it_would_be(const ConfigChange& change) const;

  std::string root_;
  Send send_;
  ConfigStore store_;
  std::deque<Question> waiting_;
  std::optional<Question> asked_;
  uint64_t question_ = 0;
  std::optional<Change> change_;
  // Of the root: how often a gateway has taken it up, and which of that was given to the last one that was started.
  uint64_t taken_up_ = 0, given_ = 0;
  EventLoop::Source limit_;
};

}  // namespace lunar
