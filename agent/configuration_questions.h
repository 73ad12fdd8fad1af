// What the gateway's control API asks the supervisor about the configuration, until it is answered.
#pragma once

#include <unistd.h>

#include <cstdint>
#include <map>

#include "agent/admin/configuration_request.h"
#include "agent/base/channel.h"

namespace lunar {

class ConfigurationQuestions {
 public:
  // An error: it was not asked, and `done` is not called.
  [[nodiscard]] Result<> ask(Channel& channel, const admin::ConfigurationRequest& request,
                             admin::ConfigurationAnswered done);
  void on_answer(const ChannelMessage& message);

 private:
  std::map<uint64_t, admin::ConfigurationAnswered> waiting_;
  // The answer may go to another gateway process, which has taken over meanwhile.
  uint64_t last_ = static_cast<uint64_t>(getpid()) << 32;
};

}  // namespace lunar
