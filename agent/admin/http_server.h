// A small HTTP/1.1 server for the control plane on an event loop: unix and TCP listeners, keep-alive, streamed
// answers. Slow, silent and greedy peers cost a bounded amount of memory and time and hold up nobody else.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/admin/http_request.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "flowengine/result.h"

namespace lunar::admin {

struct HttpResponse {
  int status = 200;
  std::string content_type = "application/json";
  std::string body;
  std::vector<std::pair<std::string, std::string>> fields;  // further header fields
};

struct HttpLimits {
  size_t connections = 256;                            // of one listener
  std::chrono::milliseconds request_deadline{10'000};  // from the first byte of a request to its last
  std::chrono::milliseconds idle_deadline{60'000};     // between requests
  std::chrono::milliseconds write_deadline{10'000};    // without any progress of the peer
  size_t stream_buffer = 1024 * 1024;                  // a stream reader that is further behind loses records
};

class HttpConnection;

// The answer that a request waits for. May be kept and used later, on the loop's thread; after the peer has gone
// all of it is without effect. If the last copy goes unanswered, the peer gets a 500.
class HttpReply {
 public:
  explicit HttpReply(std::shared_ptr<HttpConnection> connection);

  void send(const HttpResponse& response);
  // A streamed answer. write() says false if the bytes were not taken: the peer has gone or reads too slowly.
  void begin(int status, std::string_view content_type);
  bool write(std::string_view bytes);
  void end();
  [[nodiscard]] bool alive() const;
  // Called once when the peer goes before the answer is complete.
  void on_gone(std::function<void()> callback);

 private:
  struct Pending;
  std::shared_ptr<Pending> pending_;
};

using HttpService = std::function<void(const HttpRequest&, HttpReply)>;

// Access rules differ by listener.
struct HttpListener {
  HttpService service;
  // Judges a request by its head, before a body is read: what it returns is the answer, and the connection ends.
  std::function<std::optional<HttpResponse>(const HttpRequest& head)> gate;
  size_t body_limit = RequestReader::kBodyLimit;
};

class HttpServer {
 public:
  explicit HttpServer(EventLoop& loop, HttpLimits limits = {});
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  ~HttpServer();  // closes listeners and connections

  // Takes a bound and listening stream socket.
  Result<> serve(Fd socket, HttpListener listener);
  void close_listeners();
  [[nodiscard]] size_t connections() const;

 private:
  struct Listening;
  void accept(Listening& listening);
  void adopt(Listening& listening, Fd socket);

  struct State;
  std::unique_ptr<State> state_;
};

// {"msg": what failed, "error": the cause}.
[[nodiscard]] HttpResponse error_response(int status, std::string_view message, std::string_view cause);

}  // namespace lunar::admin
