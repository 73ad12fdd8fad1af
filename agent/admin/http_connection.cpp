#include "agent/admin/http_connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <exception>
#include <utility>

#include "agent/base/log.h"
#include "agent/http/serializer.h"

namespace lunar::admin {
namespace {

std::string hexadecimal(size_t value) {
  std::array<char, 16> text;
  return {text.data(), std::to_chars(text.data(), text.data() + text.size(), value, 16).ptr};
}

std::string fields_of(const HttpResponse& response) {
  std::string fields;
  for (const auto& [name, value] : response.fields) fields.append(name).append(": ").append(value).append("\r\n");
  return fields;
}

}  // namespace

HttpConnection::HttpConnection(Fd socket, const HttpLimits& limits, const HttpListener& listener)
    : limits_(limits), listener_(listener), socket_(std::move(socket)), reader_(listener.body_limit) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket_.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.pid > 0) {
    peer_pid_ = static_cast<uint32_t>(peer.pid);
    peer_uid_ = peer.uid;
  }
}

void HttpConnection::start(EventLoop& loop, std::function<void()> ended) {
  ended_ = std::move(ended);
  deadline_ = loop.timer([this] { close(); });
  io_ = loop.io(socket_.get(), EPOLLIN, [this](uint32_t events) { on_ready(events); });
  if (!io_ || !deadline_) return close();
  deadline_.fire_after(limits_.idle_deadline);
}

void HttpConnection::close() {
  if (closed()) return;
  const auto alive = shared_from_this();
  io_.reset();
  deadline_.reset();
  socket_.reset();
  if (auto gone = std::exchange(on_gone_, nullptr)) gone();
  if (auto ended = std::exchange(ended_, nullptr)) ended();
}

void HttpConnection::on_ready(uint32_t events) {
  const auto alive = shared_from_this();
  if ((events & (EPOLLHUP | EPOLLERR)) != 0 && phase_ != Phase::reading) return close();
  if ((events & EPOLLOUT) != 0) flush();
  if (!closed() && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) read_some();
}

void HttpConnection::read_some() {
  std::array<char, 16 * 1024> buffer;
  const ssize_t count = ::read(socket_.get(), buffer.data(), buffer.size());
  if (count < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (count <= 0) {
    peer_finished_ = true;
    return close();
  }
  if (phase_ == Phase::closing) return;  // what comes behind a refused request
  if (!reader_.started()) deadline_.fire_after(limits_.request_deadline);
  input_.append(buffer.data(), static_cast<size_t>(count));
  consume();
}

// Serves requests one at a time: the next one is looked at when the answer before it has left.
void HttpConnection::consume() {
  if (consuming_) return;
  consuming_ = true;
  while (!closed() && phase_ == Phase::reading && output_.empty() && !input_.empty()) {
    input_.erase(0, reader_.feed(input_));
    if (reader_.state() == RequestReader::State::refused) {
      refuse(reader_.refusal());
    } else if (reader_.head() != nullptr) {
      serve_request();
    }
  }
  consuming_ = false;
  if (!closed()) update_interest();
}

void HttpConnection::serve_request() {
  if (!std::exchange(gated_, true) && listener_.gate) {
    if (const auto refusal = listener_.gate(*reader_.head())) {
      http10_ = reader_.head()->http10;
      keep_alive_ = false;
      phase_ = Phase::serving;
      return answer(*refusal);
    }
  }
  if (reader_.take_continue()) {
    output_ = "HTTP/1.1 100 Continue\r\n\r\n";
    return flush();
  }
  if (reader_.state() != RequestReader::State::complete) return;
  HttpRequest request = reader_.take();
  request.peer_pid = peer_pid_;
  request.peer_uid = peer_uid_;
  gated_ = false;
  keep_alive_ = request.keep_alive;
  http10_ = request.http10;
  head_only_ = request.method == "HEAD";
  phase_ = Phase::serving;
  deadline_.rest();
  try {
    listener_.service(request, HttpReply(shared_from_this()));
  } catch (const std::exception& error) {  // its reply goes unanswered, which is a 500
    log::error("{} {} failed: {}", request.method, request.path, error.what());
  }
}

void HttpConnection::refuse(int status) {
  keep_alive_ = false;
  phase_ = Phase::serving;
  answer(error_response(status, "request refused", http::reason_phrase(status)));
}

void HttpConnection::write_head(int status, std::string_view content_type, std::string_view fields) {
  output_ += "HTTP/1.1 " + std::to_string(status) + ' ';
  output_ += http::reason_phrase(status);
  output_ += "\r\n";
  if (!content_type.empty()) {
    output_ += "Content-Type: ";
    output_ += content_type;
    output_ += "\r\n";
  }
  output_ += fields;
  output_ += keep_alive_ ? (http10_ ? "Connection: keep-alive\r\n" : "") : "Connection: close\r\n";
}

void HttpConnection::answer(const HttpResponse& response) {
  if (closed() || phase_ != Phase::serving) return;
  write_head(response.status, response.content_type,
             fields_of(response) + "Content-Length: " + std::to_string(response.body.size()) + "\r\n");
  output_ += "\r\n";
  if (!head_only_) output_ += response.body;
  answered();
}

void HttpConnection::begin_stream(int status, std::string_view content_type) {
  if (closed() || phase_ != Phase::serving) return;
  keep_alive_ = keep_alive_ && !http10_;
  write_head(status, content_type, http10_ ? "" : "Transfer-Encoding: chunked\r\n");
  output_ += "\r\n";
  phase_ = Phase::streaming;
  flush();
}

bool HttpConnection::stream(std::string_view bytes) {
  if (closed() || phase_ != Phase::streaming) return false;
  if (bytes.empty()) return true;
  if (output_.size() - sent_ + bytes.size() > limits_.stream_buffer) return false;
  if (http10_) {
    output_ += bytes;
  } else {
    output_ += hexadecimal(bytes.size()) + "\r\n";
    output_ += bytes;
    output_ += "\r\n";
  }
  flush();
  return !closed();
}

void HttpConnection::end_stream() {
  if (closed() || phase_ != Phase::streaming) return;
  if (!http10_) output_ += "0\r\n\r\n";
  answered();
}

void HttpConnection::answered() {
  on_gone_ = nullptr;
  phase_ = keep_alive_ ? Phase::reading : Phase::closing;
  flush();
  if (!closed()) consume();
}

void HttpConnection::flush() {
  const auto alive = shared_from_this();
  bool progress = false;
  while (sent_ < output_.size()) {
    const ssize_t count = ::send(socket_.get(), output_.data() + sent_, output_.size() - sent_, MSG_NOSIGNAL);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return close();
    sent_ += static_cast<size_t>(count);
    progress = true;
  }
  if (sent_ < output_.size()) {
    if (progress) {
      output_.erase(0, sent_);
      sent_ = 0;
    }
    deadline_.fire_after(limits_.write_deadline);
    return update_interest();
  }
  if (!progress && phase_ != Phase::closing) return;
  output_.clear();
  sent_ = 0;
  if (phase_ == Phase::reading) {
    deadline_.fire_after(reader_.started() ? limits_.request_deadline : limits_.idle_deadline);
    return consume();
  }
  if (phase_ == Phase::closing) {
    // A close with unread bytes would reset the connection, and the peer could lose the answer.
    ::shutdown(socket_.get(), SHUT_WR);
    deadline_.fire_after(limits_.write_deadline);
  } else {
    deadline_.rest();
  }
  update_interest();
}

void HttpConnection::update_interest() {
  const bool reads = (phase_ == Phase::reading || phase_ == Phase::closing) && output_.empty();
  io_.watch((reads ? EPOLLIN : 0U) | (output_.empty() ? 0U : EPOLLOUT));
}

}  // namespace lunar::admin
