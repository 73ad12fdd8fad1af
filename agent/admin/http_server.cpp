#include "agent/admin/http_server.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <list>
#include <nlohmann/json.hpp>
#include <utility>

#include "agent/admin/http_connection.h"
#include "agent/admin/wire.h"

namespace lunar::admin {
namespace {

constexpr std::chrono::milliseconds kPauseWithoutDescriptors{100};
constexpr int kAcceptsPerTurn = 16;

}  // namespace

struct HttpReply::Pending {
  explicit Pending(std::shared_ptr<HttpConnection> at) : connection(std::move(at)) {}
  Pending(const Pending&) = delete;
  Pending& operator=(const Pending&) = delete;
  ~Pending() {
    if (done) return;
    if (begun) {
      connection->close();
    } else {
      connection->answer(error_response(500, "the request was not answered", "internal error; see the log of lunard"));
    }
  }
  std::shared_ptr<HttpConnection> connection;
  bool begun = false;
  bool done = false;
};

HttpReply::HttpReply(std::shared_ptr<HttpConnection> connection)
    : pending_(std::make_shared<Pending>(std::move(connection))) {}

void HttpReply::send(const HttpResponse& response) {
  if (std::exchange(pending_->done, true)) return;
  pending_->connection->answer(response);
}

void HttpReply::begin(int status, std::string_view content_type) {
  if (pending_->done || std::exchange(pending_->begun, true)) return;
  pending_->connection->begin_stream(status, content_type);
}

bool HttpReply::write(std::string_view bytes) { return !pending_->done && pending_->connection->stream(bytes); }

void HttpReply::end() {
  if (std::exchange(pending_->done, true)) return;
  pending_->connection->end_stream();
}

bool HttpReply::alive() const { return !pending_->done && !pending_->connection->closed(); }

void HttpReply::on_gone(std::function<void()> callback) { pending_->connection->on_gone(std::move(callback)); }

struct HttpServer::Listening {
  Fd socket;
  HttpListener rules;
  EventLoop::Source io;
  EventLoop::Source pause;  // while there are no descriptors to accept with
  size_t open = 0;          // connections; limited for each listener, so that none can starve another
};

struct HttpServer::State {
  EventLoop& loop;
  HttpLimits limits;
  std::list<Listening> listeners;  // kept when closed: connections refer to their rules
  std::list<std::shared_ptr<HttpConnection>> connections;
};

HttpServer::HttpServer(EventLoop& loop, HttpLimits limits)
    : state_(std::make_unique<State>(State{loop, limits, {}, {}})) {}

HttpServer::~HttpServer() {
  while (!state_->connections.empty()) state_->connections.front()->close();
}

Result<> HttpServer::serve(Fd socket, HttpListener rules) {
  const int fd = socket.get();
  Listening& listening = state_->listeners.emplace_back(Listening{std::move(socket), std::move(rules), {}, {}, 0});
  listening.pause = state_->loop.timer([&listening] { listening.io.watch(EPOLLIN); });
  listening.io = state_->loop.io(fd, EPOLLIN, [this, &listening](uint32_t) { accept(listening); });
  if (listening.io && listening.pause) return {};
  state_->listeners.pop_back();
  return fail("cannot watch a listener of the control API");
}

void HttpServer::accept(Listening& listening) {
  for (int turn = 0; turn < kAcceptsPerTurn; ++turn) {
    Fd socket(::accept4(listening.socket.get(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      adopt(listening, std::move(socket));
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      listening.io.watch(0);
      listening.pause.fire_after(kPauseWithoutDescriptors);
    }
    return;
  }
}

void HttpServer::adopt(Listening& listening, Fd socket) {
  if (listening.open >= state_->limits.connections) {
    constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: 65\r\n"
        "Connection: close\r\n\r\n{\"msg\":\"too many connections\",\"error\":\"close some of the others\"}";
    static_assert(kFull.size() - kFull.find('{') == 65);
    (void)::send(socket.get(), kFull.data(), kFull.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return;
  }
  auto& connections = state_->connections;
  const auto at = connections.insert(
      connections.end(), std::make_shared<HttpConnection>(std::move(socket), state_->limits, listening.rules));
  ++listening.open;
  (*at)->start(state_->loop, [&connections, &listening, at] {
    --listening.open;
    connections.erase(at);
  });
}

// Without shutdown: the same socket may be that of the process which takes over.
void HttpServer::close_listeners() {
  for (Listening& listening : state_->listeners) {
    listening.io.reset();
    listening.pause.reset();
    listening.socket.reset();
  }
}

size_t HttpServer::connections() const { return state_->connections.size(); }

HttpResponse error_response(int status, std::string_view message, std::string_view cause) {
  const nlohmann::json body{{wire::key::kMessage, message}, {wire::key::kError, cause}};
  return {.status = status, .body = body.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n"};
}

}  // namespace lunar::admin
