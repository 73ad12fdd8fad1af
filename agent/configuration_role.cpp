#include "agent/configuration_role.h"

#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <utility>

#include "agent/base/log.h"
#include "agent/base/memory_file.h"
#include "agent/config/load.h"

namespace lunar {
namespace {

using admin::ConfigurationAnswer;
using admin::ConfigurationRequest;
using nlohmann::json;
using namespace std::chrono_literals;

constexpr auto kAnswerLimit = 5s;
constexpr size_t kMostWaiting = 64;
constexpr size_t kBodyLimit = 16 << 20;
constexpr const char* kNotApplied = "the configuration was not applied, the old one serves on";

std::string text_of(const Error& error) {
  return error.os_error == 0 ? error.text : error.text + ": " + strerror(error.os_error);
}

Result<Fd> memory_file_of(ConfigBundle bundle) {
  bundle.environment = named_variables(bundle.sources, environment_from(environ));
  const std::vector<uint8_t> bytes = json::to_cbor(to_json(bundle));
  return make_memory_file({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Result<ConfigFolder> folder_at(const std::string& root) {
  auto folder = read_config_folder(root);
  if (!folder && folder.error().os_error == ENOENT) return ConfigFolder{};
  return folder;
}

std::optional<ConfigurationRequest::Verb> verb_called(const std::string& name) {
  using Verb = ConfigurationRequest::Verb;
  for (const Verb verb : {Verb::load, Verb::check, Verb::apply, Verb::operate})
    if (name == admin::verb_name(verb)) return verb;
  return std::nullopt;
}

// /configuration answers with a text in a text.
ConfigurationAnswer operation_answer(json more) {
  more["status"] = "OK";
  const json response{{"operation_response", std::move(more)}};
  return {.status = 200, .body = {{"data", response.dump(-1, ' ', false, json::error_handler_t::replace)}}};
}

}  // namespace

ConfigurationRole::ConfigurationRole(EventLoop& loop, const LunardConfig& config, Send send)
    : root_(config.config_dir),
      send_(std::move(send)),
      store_(config.config_dir, config.state.dir, config.backups),
      limit_(loop.timer([this] { finish(fail("the gateway does not answer", ETIMEDOUT)); })) {}

void ConfigurationRole::recover() {
  const auto recovered = store_.recover();
  store_.remove_old_backups();  // whoever was killed has not come to that
  if (!recovered) return log::error("a change of the configuration was not completed: {}", text_of(recovered.error()));
  if (*recovered) log::warn("a change of the configuration that was cut off has been completed");
}

Result<Fd> ConfigurationRole::for_start() {
  given_ = taken_up_;
  return as_it_is();
}

Result<Fd> ConfigurationRole::as_it_would_be(const ConfigChange& change) const {
  auto folder = folder_at(root_);
  if (!folder) return std::unexpected(folder.error());
  overlay(*folder, change);
  ConfigBundle bundle;
  bundle.sources = std::move(folder->sources);
  bundle.unreadable = std::move(folder->unreadable);
  return memory_file_of(std::move(bundle));
}

// Questions to the gateway, one after the other.

void ConfigurationRole::reload(bool activate, Done done) {
  ask({.activate = activate, .bundle = [this] { return as_it_is(); }, .done = std::move(done)});
}

void ConfigurationRole::ask(Question question) {
  if (waiting_.size() >= kMostWaiting) return question.done(fail("too many reloads are under way", EBUSY));
  waiting_.push_back(std::move(question));
  ask_next();
}

void ConfigurationRole::ask_next() {
  while (!asked_ && !waiting_.empty()) {
    asked_ = std::move(waiting_.front());
    waiting_.pop_front();
    auto file = asked_->bundle();
    if (!file) {
      finish(std::unexpected(file.error()));
      continue;
    }
    const int fd = file->get();
    const json message{{"type", "reload"}, {"activate", asked_->activate}, {"question", ++question_}};
    if (auto sent = send_(message, {&fd, 1}); !sent) {
      finish(std::unexpected(sent.error()));
    } else {
      limit_.fire_after(kAnswerLimit);
    }
  }
}

void ConfigurationRole::on_reloaded(const json& message) {
  // What comes too late is about a question that nobody asks any more.
  if (message.value("question", uint64_t{0}) == question_) finish(message.value("outcome", json::object()));
}

void ConfigurationRole::finish(Result<json> outcome) {
  limit_.rest();
  if (!asked_) return;
  const Question question = *std::exchange(asked_, std::nullopt);
  // Also where it is not known: then the next gateway is told again.
  if (question.activate && (!outcome || outcome->value("accepted", false))) ++taken_up_;
  question.done(std::move(outcome));
  ask_next();
}

void ConfigurationRole::on_lost() { finish(fail("the gateway process ended", ESRCH)); }

// One that was started during a change was given what was there at that moment.
void ConfigurationRole::on_serving() {
  if (given_ == taken_up_) return;
  given_ = taken_up_;
  reload(true, [](const Result<json>& outcome) {
    if (!outcome) log::error("the configuration was not reloaded: {}", text_of(outcome.error()));
  });
}

// What the control API asks.

void ConfigurationRole::configure(ConfigurationRequest request, const admin::ConfigurationAnswered& done) {
  using Verb = ConfigurationRequest::Verb;
  log::info("{} of the configuration asked for by {}", admin::verb_name(request.verb), request.asked_by);
  if (request.verb == Verb::apply) return apply(request, done);
  if (request.verb == Verb::operate) return operate(request, done);
  if (request.verb == Verb::check && !request.body.empty()) return check(request, done);
  const bool activate = request.verb == Verb::load;
  reload(activate, [activate, done](Result<json> outcome) {
    done(outcome ? admin::configuration_outcome(*std::move(outcome), activate ? 400 : 422)
                 : admin::configuration_failure(503, "the configuration was not reloaded", outcome.error()));
  });
}

void ConfigurationRole::check(const ConfigurationRequest& request, const admin::ConfigurationAnswered& done) {
  auto change = config_change_from(request.body);
  if (!change) return done(admin::configuration_failure(400, "bad request", change.error()));
  auto bundle = [this, change = *std::move(change)] { return as_it_would_be(change); };
  ask({.activate = false, .bundle = std::move(bundle), .done = [done](Result<json> outcome) {
         done(outcome ? admin::configuration_outcome(*std::move(outcome), 422)
                      : admin::configuration_failure(503, "the configuration was not checked", outcome.error()));
       }});
}

void ConfigurationRole::apply(const ConfigurationRequest& request, const admin::ConfigurationAnswered& done) {
  if (change_) {
    return done(
        {.status = 226, .body = {{"msg", "nothing was changed"}, {"error", "another apply is under way; try again"}}});
  }
  auto change = config_change_from(request.body);
  if (change && change->parts.empty()) change = fail("the body names nothing that is to be replaced");
  if (!change) return done(admin::configuration_failure(400, kNotApplied, change.error()));
  begin({.change = *std::move(change), .asked_by = request.asked_by, .checkpoint = "", .done = done});
}

void ConfigurationRole::operate(const ConfigurationRequest& request, const admin::ConfigurationAnswered& done) {
  using Kind = ConfigOperation::Kind;
  auto operation = config_operation_from(request.body);
  if (!operation) return done(admin::configuration_failure(400, "bad request", operation.error()));
  if (operation->kind == Kind::get) return done(everything());
  if (change_)
    return done(admin::configuration_failure(400, kNotApplied, {"another apply is under way; try again", EBUSY}));
  if (operation->kind == Kind::init) {
    const auto made = store_.make_folders();
    return done(made ? operation_answer(json::object())
                     : admin::configuration_failure(400, "the folders were not made", {text_of(made.error())}));
  }
  auto change = change_of(*operation);
  if (!change) return done(admin::configuration_failure(400, kNotApplied, change.error()));
  begin({.change = *std::move(change),
         .asked_by = request.asked_by,
         .checkpoint = "",
         .done = [done](ConfigurationAnswer answer) {
           done(answer.status == 200 ? operation_answer(std::move(answer.body)) : std::move(answer));
         }});
}

Result<ConfigChange> ConfigurationRole::change_of(const ConfigOperation& operation) const {
  if (operation.kind == ConfigOperation::Kind::restore) return store_.backed_up(operation.checkpoint);
  return operation.removed.empty() ? operation.change : store_.without(operation.removed);
}

ConfigurationAnswer ConfigurationRole::everything() const {
  const auto all = store_.current();
  if (!all) return admin::configuration_failure(400, "the configuration cannot be read", {text_of(all.error())});
  return operation_answer(
      {{"configurations", json::array({{{"name", "current"}, {"configuration", payload_of(*all)}}})},
       {"checkpoints", store_.checkpoints()}});
}

// A change, step by step. A configuration that the gateway refuses never reaches the disk.

void ConfigurationRole::begin(Change change) {
  change_ = std::move(change);
  ask({.activate = false,
       .bundle = [this] { return as_it_would_be(change_->change); },
       .done =
           [this](Result<json> outcome) {
             if (!outcome) return end(admin::configuration_failure(400, kNotApplied, {text_of(outcome.error())}));
             if (outcome->value("accepted", false)) return replace();
             (*outcome)["msg"] = kNotApplied;
             end(admin::configuration_outcome(*std::move(outcome), 400));
           }});
}

void ConfigurationRole::replace() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  auto checkpoint = store_.back_up(std::chrono::duration_cast<std::chrono::seconds>(now).count());
  if (!checkpoint) return end(admin::configuration_failure(400, kNotApplied, {text_of(checkpoint.error())}));
  change_->checkpoint = *std::move(checkpoint);
  if (auto replaced = store_.replace(change_->change); !replaced)
    return take_back(admin::configuration_failure(400, kNotApplied, {text_of(replaced.error())}), true);
  reload(true, [this](const Result<json>& outcome) { judged(outcome); });
}

void ConfigurationRole::judged(const Result<json>& outcome) {
  if (!outcome) return take_back(admin::configuration_failure(400, kNotApplied, {text_of(outcome.error())}), false);
  ConfigurationAnswer answer = admin::configuration_outcome(*outcome, 400);
  if (answer.status != 200) return take_back(std::move(answer), true);
  answer.body["checkpoint"] = change_->checkpoint;
  store_.remove_old_backups();
  end(std::move(answer));
}

// `told_no`: then the gateway has what it had before; else it has to be told again.
void ConfigurationRole::take_back(ConfigurationAnswer answer, bool told_no) {
  const auto before = store_.backed_up(change_->checkpoint);
  const Result<> restored = before ? store_.replace(*before) : std::unexpected(before.error());
  if (!restored) {
    log::error("the backup {} was not restored: {}", change_->checkpoint, text_of(restored.error()));
    return end(std::move(answer));
  }
  store_.remove_backup(change_->checkpoint);
  if (told_no) return end(std::move(answer));
  reload(true, [this, answer = std::move(answer)](const Result<json>& outcome) {
    if (!outcome) log::error("the configuration was not reloaded: {}", text_of(outcome.error()));
    end(answer);
  });
}

void ConfigurationRole::end(ConfigurationAnswer answer) {
  const Change change = *std::exchange(change_, std::nullopt);
  if (answer.status == 200) {
    log::info("the configuration was replaced for {}; before it: {}", change.asked_by, change.checkpoint);
  } else {
    log::warn("the configuration was not replaced for {}: {}", change.asked_by, answer.body.value("error", ""));
  }
  change.done(std::move(answer));
}

// A request that came to the gateway over TCP; bodies both ways may be larger than a message.
void ConfigurationRole::on_request(const ChannelMessage& message) {
  const auto verb = verb_called(message.body.value("verb", ""));
  const json id = message.body.value("id", json());
  auto body = message.fds.empty() ? Result<std::string>("") : read_memory_file(message.fds.front().get(), kBodyLimit);
  if (!verb || !body) return log::warn("the gateway asks about the configuration in a way that is not understood");
  configure({.verb = *verb, .body = *std::move(body), .asked_by = "a holder of the key, over TCP"},
            [this, id](const ConfigurationAnswer& answer) {
              auto file = make_memory_file(answer.body.dump(-1, ' ', false, json::error_handler_t::replace));
              const int fd = file ? file->get() : -1;
              const json said{{"type", "configured"}, {"id", id}, {"status", answer.status}};
              auto sent = file ? send_(said, {&fd, 1}) : std::unexpected(file.error());
              if (!sent) log::warn("the gateway was not told how a request ended: {}", text_of(sent.error()));
            });
}

}  // namespace lunar
