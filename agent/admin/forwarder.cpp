#include "agent/admin/forwarder.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>
#include <utility>

#include "agent/base/fd.h"
#include "agent/http/head.h"

namespace lunar::admin {
namespace {

constexpr std::chrono::milliseconds kRetrySlowReader{50};
constexpr size_t kAnswerLimit = 64 * 1024 * 1024;

constexpr const char* kHangs =
    "the gateway process does not answer; new connections go direct meanwhile, and `lunarctl restart` replaces it";
constexpr const char* kAbsent = "the gateway process does not run at present; new connections go direct meanwhile";

Result<Fd> connect_unix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) return fail("the path of the internal socket is too long");
  std::memcpy(address.sun_path, path.data(), path.size());
  Fd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket) return fail("cannot create a socket", errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return fail(errno == EAGAIN ? kHangs : kAbsent, errno);
  }
  return socket;
}

std::string written(const HttpRequest& request) {
  std::string text = request.method + ' ' + request.path;
  if (!request.query.empty()) text += '?' + request.query;
  text += " HTTP/1.0\r\n";
  if (!request.body.empty()) text += "Content-Length: " + std::to_string(request.body.size()) + "\r\n";
  return text + "\r\n" + request.body;
}

}  // namespace

// One request on its way. Ends exactly once, by `end`.
class Forwarder::Call : public std::enable_shared_from_this<Call> {
 public:
  using Done = std::function<void(Result<HttpResponse>)>;

  explicit Call(Done done) : done_(std::move(done)) {}
  explicit Call(HttpReply reply) : reply_(std::move(reply)) {}

  void start(EventLoop& loop, Fd socket, std::string request, std::chrono::milliseconds limit) {
    socket_ = std::move(socket);
    request_ = std::move(request);
    timer_ = loop.timer([this] { streaming_ ? relay() : end(fail(kHangs)); });
    io_ = loop.io(socket_.get(), EPOLLOUT, [this](uint32_t events) { on_ready(events); });
    if (!io_ || !timer_) return end(fail("cannot watch the internal socket"));
    timer_.fire_after(limit);
    if (reply_) {
      reply_->on_gone([weak = weak_from_this()] {
        if (const auto call = weak.lock()) call->end(fail("the client has gone"));
      });
    }
  }
  void end(Result<HttpResponse> outcome);
  [[nodiscard]] bool ended() const { return ended_; }

  std::function<void()> on_end;

 private:
  void on_ready(uint32_t events);
  void send_request();
  void receive();
  void read_head();
  void relay();
  void complete();

  std::optional<HttpReply> reply_;
  Done done_;
  Fd socket_;
  EventLoop::Source io_;
  EventLoop::Source timer_;
  std::string request_;
  std::string head_;
  HttpResponse response_;
  bool head_read_ = false;
  bool streaming_ = false;
  bool finished_ = false;  // the gateway has sent everything
  bool ended_ = false;
  size_t expected_ = 0;
};

void Forwarder::Call::on_ready(uint32_t events) {
  const auto alive = shared_from_this();
  if (!request_.empty() && (events & EPOLLOUT) != 0) send_request();
  if (!ended_ && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) receive();
}

void Forwarder::Call::send_request() {
  const ssize_t count = ::send(socket_.get(), request_.data(), request_.size(), MSG_NOSIGNAL);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count < 0) return end(fail(kAbsent, errno));
  request_.erase(0, static_cast<size_t>(count));
  if (request_.empty()) io_.watch(EPOLLIN);
}

void Forwarder::Call::receive() {
  std::array<char, 64 * 1024> buffer;
  const ssize_t count = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  finished_ = count <= 0;
  const std::string_view bytes(buffer.data(), count > 0 ? static_cast<size_t>(count) : 0);
  if (head_read_) {
    response_.body += bytes;
  } else {
    head_ += bytes;
    read_head();
  }
  if (ended_) return;
  if (streaming_) return relay();
  if (response_.body.size() > kAnswerLimit) return end(fail("the answer of the gateway is too large"));
  if (finished_ || (head_read_ && response_.body.size() >= expected_)) complete();
}

void Forwarder::Call::read_head() {
  http::ResponseHead head;
  const http::ParseState verdict = http::parse_response_head(head_, {}, head);
  if (verdict == http::ParseState::incomplete) return;
  if (verdict != http::ParseState::complete) return end(fail("the gateway sent an answer that is no HTTP"));
  head_read_ = true;
  response_.status = head.status;
  if (const http::Field* type = head.fields.find("content-type")) response_.content_type = type->value;
  response_.body = head_.substr(head.size);
  expected_ = head.framing.length;
  const bool endless = head.framing.kind == http::BodyFraming::Kind::until_close;
  if (!endless || !reply_) return;
  streaming_ = true;
  timer_.rest();
  reply_->begin(response_.status, response_.content_type);
}

// Stops reading while the client does not: then the gateway sees a slow reader, and drops lines with their count.
void Forwarder::Call::relay() {
  const auto alive = shared_from_this();
  if (!response_.body.empty() && !reply_->write(response_.body)) {
    if (ended_ || !reply_->alive()) return end(fail("the client has gone"));
    io_.watch(0);
    timer_.fire_after(kRetrySlowReader);
    return;
  }
  response_.body.clear();
  if (ended_) return;
  if (finished_) return end(HttpResponse{});
  io_.watch(EPOLLIN);
}

void Forwarder::Call::complete() {
  if (!head_read_ || response_.body.size() != expected_) return end(fail(kAbsent));
  end(std::move(response_));
}

void Forwarder::Call::end(Result<HttpResponse> outcome) {
  if (std::exchange(ended_, true)) return;
  const auto alive = shared_from_this();
  io_.reset();
  timer_.reset();
  socket_.reset();
  if (done_) {
    done_(std::move(outcome));
  } else if (streaming_) {
    reply_->end();
  } else {
    reply_->send(outcome ? *outcome : error_response(503, "the gateway cannot be asked", outcome.error().text));
  }
  reply_.reset();
  if (on_end) on_end();
}

Forwarder::Forwarder(EventLoop& loop, std::string path, std::chrono::milliseconds limit)
    : loop_(loop), path_(std::move(path)), limit_(limit) {}

Forwarder::~Forwarder() {
  while (!calls_.empty()) calls_.front()->end(fail("lunard stops"));
}

void Forwarder::start(const std::shared_ptr<Call>& call, const std::string& request) {
  Result<Fd> socket = connect_unix(path_);
  if (!socket) return call->end(std::unexpected(socket.error()));
  const auto at = calls_.insert(calls_.end(), call);
  call->on_end = [this, at] { calls_.erase(at); };
  call->start(loop_, std::move(*socket), request, limit_);
}

void Forwarder::forward(const HttpRequest& request, HttpReply reply) {
  start(std::make_shared<Call>(std::move(reply)), written(request));
}

void Forwarder::ask(std::string_view path, std::function<void(Result<nlohmann::json>)> done) {
  HttpRequest request;
  request.method = "GET";
  request.path = path;
  start(std::make_shared<Call>([done = std::move(done)](Result<HttpResponse> response) {
          if (!response) return done(std::unexpected(response.error()));
          nlohmann::json document = nlohmann::json::parse(response->body, nullptr, false);
          if (document.is_discarded()) return done(fail("the answer of the gateway is no JSON"));
          done(std::move(document));
        }),
        written(request));
}

}  // namespace lunar::admin
