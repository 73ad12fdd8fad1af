// What expressions see of a call: the document of flows.md §5.2, made piece by piece as it is asked for.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>

#include "flowengine/expr/json.h"
#include "flowengine/message.h"

namespace lunar {

enum class Root : uint8_t { request, response };

class MessageMembers;

class View {
 public:
  View(const Request& request, const Response* response);  // both outlive it
  ~View();
  View(const View&) = delete;
  View& operator=(const View&) = delete;

  void set_response(const Response* response);
  void set_path_params(const PathParams* params);  // of the flow that is running; null: none
  void request_changed();                          // forget what was derived from the message
  void response_changed();

  [[nodiscard]] const Request& request() const { return *request_; }
  [[nodiscard]] const Response* response() const { return response_; }
  [[nodiscard]] const PathParams* path_params() const { return path_params_; }
  [[nodiscard]] const Message* message(Root root) const;  // null: there is none yet

  [[nodiscard]] const Json* request_json() { return json(Root::request); }  // null: missing or not JSON
  [[nodiscard]] const Json* response_json() { return json(Root::response); }
  [[nodiscard]] const Json* json(Root root);

  [[nodiscard]] MessageMembers* members(Root root);  // null: there is no such message

 private:
  struct Body {
    bool parsed = false;
    std::optional<Json> json;
  };
  void forget(Root root);

  const Request* request_;
  const Response* response_;
  const PathParams* path_params_ = nullptr;
  std::array<Body, 2> bodies_;
  std::array<std::unique_ptr<MessageMembers>, 2> members_;
};

}  // namespace lunar
