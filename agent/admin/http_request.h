// One request of the control API as a value, and the machine that reads it from bytes. No I/O.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace lunar::admin {

struct HttpRequest {
  std::string method;
  std::string path;           // as sent, without the query
  std::string query;          // without '?'
  std::string authorization;  // value of the field; empty: absent
  std::string body;
  bool keep_alive = true;
  bool http10 = false;    // no chunked answers
  uint32_t peer_uid = 0;  // filled in by the server on unix sockets
  uint32_t peer_pid = 0;  // 0: TCP

  // Percent-decoded value of a query parameter; empty if absent. '+' is a space.
  [[nodiscard]] std::string parameter(std::string_view name) const;
};

class RequestReader {
 public:
  static constexpr size_t kHeadLimit = 64 * 1024;
  static constexpr size_t kBodyLimit = 16 * 1024 * 1024;

  enum class State : uint8_t { incomplete, complete, refused };

  explicit RequestReader(size_t body_limit = kBodyLimit) : body_limit_(body_limit) {}

  // Takes bytes up to the end of the request; returns how many. The rest belongs to the next request.
  size_t feed(std::string_view bytes);
  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] bool started() const { return head_known_ || !head_.empty(); }
  // The request without its body, as soon as its head is complete; nullptr before.
  [[nodiscard]] const HttpRequest* head() const { return head_known_ ? &request_ : nullptr; }
  [[nodiscard]] int refusal() const { return refusal_; }  // status: 400, 411, 413, 431, 505
  // True once after a head that asked for 100-continue whose body is awaited.
  [[nodiscard]] bool take_continue();
  // The complete request; the reader begins anew.
  [[nodiscard]] HttpRequest take();

 private:
  void refuse(int status);
  void read_head();

  size_t body_limit_;
  State state_ = State::incomplete;
  int refusal_ = 0;
  bool head_known_ = false;
  bool wants_continue_ = false;
  size_t scanned_ = 0;
  size_t body_left_ = 0;
  std::string head_;
  HttpRequest request_;
};

}  // namespace lunar::admin
