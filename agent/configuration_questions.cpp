#include "agent/configuration_questions.h"

#include <utility>

#include "agent/base/log.h"
#include "agent/base/memory_file.h"

namespace lunar {
namespace {

constexpr size_t kAnswerLimit = size_t{1} << 30;

}  // namespace

Result<> ConfigurationQuestions::ask(Channel& channel, const admin::ConfigurationRequest& request,
                                     admin::ConfigurationAnswered done) {
  auto file = make_memory_file(request.body);
  if (!file) return std::unexpected(file.error());
  const int fd = file->get();
  const uint64_t id = ++last_;
  auto sent = channel.send({{"type", "configure"}, {"id", id}, {"verb", admin::verb_name(request.verb)}}, {&fd, 1});
  if (sent) waiting_.emplace(id, std::move(done));
  return sent;
}

void ConfigurationQuestions::on_answer(const ChannelMessage& message) {
  auto waiting = waiting_.extract(message.body.value("id", uint64_t{0}));
  if (!waiting || message.fds.empty()) return log::warn("the supervisor answers what nobody has asked");
  const auto text = read_memory_file(message.fds.front().get(), kAnswerLimit);
  if (!text) return waiting.mapped()(admin::configuration_failure(500, "the answer was lost", text.error()));
  waiting.mapped()({.status = message.body.value("status", 500), .body = nlohmann::json::parse(*text, nullptr, false)});
}

}  // namespace lunar
