// The client side of the control socket. It speaks HTTP/1.0, so that an answer ends with the connection, streamed or
// not.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

#include "flowengine/result.h"

namespace lunar::cli {

struct Request {
  std::string method = "GET";
  std::string target;
  std::string body{};
  std::chrono::seconds patience{10};  // how long the daemon may be silent
};

struct Answer {
  int status = 0;
  std::string body;
};

// A query string of the pairs whose value is not empty, with '?', percent-encoded.
[[nodiscard]] std::string query(std::initializer_list<std::pair<std::string_view, std::string>> parameters);

class Client {
 public:
  explicit Client(std::string socket) : socket_(std::move(socket)) {}

  // An error means that no answer came; its text says what to do.
  [[nodiscard]] Result<Answer> ask(const Request& request) const;
  // Calls `each` with every line of a successful answer as it comes, until it returns false or the stream ends.
  [[nodiscard]] Result<Answer> follow(const Request& request, const std::function<bool(std::string_view)>& each) const;

 private:
  std::string socket_;
};

}  // namespace lunar::cli
