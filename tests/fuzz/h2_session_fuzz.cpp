// A peer's bytes to an HTTP/2 session. The first byte chooses our role and how the peer begins, the second what the
// owner does; the third is the size of the pieces.
#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agent/http/body.h"
#include "agent/http/h2_preface.h"
#include "agent/http/h2_session.h"
#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;
using http::H2Session;
using http::StreamId;

namespace {

// The HTTP/1.1 bytes of one message, as a reader of HTTP/1.1 takes them.
class Reader {
 public:
  Reader(bool request, http::RequestContext context) : request_(request), context_(context) {}

  void take(std::string_view bytes) {
    text_.append(bytes);
    while (!final_ && read_head()) {
    }
    if (!final_) return;
    auto step = scanner_.scan(text_);
    require(!step.malformed, "a body keeps to its framing");
    require(step.consumed == text_.size(), "nothing comes behind a body");
    text_.clear();
  }
  void end() const { require(final_ && scanner_.complete_at_close(), "a message that has ended is complete"); }

 private:
  bool read_head() {
    http::RequestHead request;
    http::ResponseHead response;
    http::ParseState state =
        request_ ? parse_request_head(text_, request) : parse_response_head(text_, context_, response);
    if (text_.empty()) return false;
    require(state == http::ParseState::complete, "a head comes as a whole, and is one");
    const http::MessageHead& head = request_ ? static_cast<http::MessageHead&>(request) : response;
    final_ = request_ || !response.interim();
    bool tunnel = request_ ? request.upgrade || request.method == "CONNECT" : response.status == 101;
    tunnel = tunnel || (context_.connect && response.status / 100 == 2);
    scanner_ = http::BodyScanner(tunnel ? http::BodyFraming{http::BodyFraming::Kind::until_close, 0} : head.framing);
    text_.erase(0, head.size);
    return true;
  }

  bool request_;
  http::RequestContext context_;
  std::string text_;
  bool final_ = false;
  http::BodyScanner scanner_;
};

class Owner final : public http::H2Events {
 public:
  Owner(H2Session::Role role, uint8_t choices) : server_(role == H2Session::Role::server), choices_(choices) {
    http::H2Options options;
    options.limits.stream_window = 4096;
    options.limits.session_output = 64 * 1024;
    session_ = std::make_unique<H2Session>(role, options, *this);
    if (!server_) ask();
  }
  ~Owner() { session_.reset(); }

  void feed(std::string_view bytes) {
    session_->feed(bytes, {});
    std::array<char, 4096> out;
    while ((choices_ & 0x80) == 0 && session_->pull(out) != 0) {
    }
    require(held_ <= 1024 * 1024 * 8, "what is not consumed is bounded");
    for (StreamId id : owed_) answer(id);
    owed_.clear();
  }

  void finish() {
    session_->abort(http::H2Code::no_error, "the end");
    require(session_->over() && overs_ == 1, "a session is over once");
    require(live_.empty(), "every stream that was opened has ended");
    std::array<char, 4096> out;
    while (session_->pull(out) != 0) {
    }
    require(!session_->has_output(), "a session that is over falls silent");
  }

  void opened(StreamId id, std::string_view head) override {
    require(server_ && overs_ == 0 && known_.emplace(id, true).second, "a stream is opened once");
    begin(id, {});
    received(id, head);
    owed_.push_back(id);
  }
  void received(StreamId id, std::string_view bytes) override {
    Reader& reader = live(id);
    reader.take(bytes);
    held_ += bytes.size();
    if ((choices_ & 1) != 0) return;
    held_ -= bytes.size();
    session_->consumed(id, bytes.size());
  }
  void ended(StreamId id) override {
    live(id).end();
    if ((choices_ & 0x10) == 0) return;
    session_->leave(id, http::H2Code::cancel);
    live_.erase(id);
  }
  void closed(StreamId id, const http::H2End& end) override {
    require(!end.reason.empty(), "an end has a reason");
    (void)live(id);
    live_.erase(id);
    if ((choices_ & 0x20) != 0) session_->leave(id, http::H2Code::no_error);
  }
  void writable(StreamId id) override { (void)live(id); }
  void peer_settings() override { require(overs_ == 0, "nothing is told behind the end"); }
  void peer_goaway(const http::H2End& /*end*/) override {
    if ((choices_ & 0x40) != 0) session_->drain();
  }
  void over(const http::H2End& end) override {
    require(!end.reason.empty(), "an end has a reason");
    ++overs_;
  }

 private:
  void begin(StreamId id, http::RequestContext context) { live_.emplace(id, Reader(server_, context)); }
  Reader& live(StreamId id) {
    auto found = live_.find(id);
    require(found != live_.end() && overs_ == 0, "events are of streams that are open");
    return found->second;
  }

  void ask() {
    constexpr std::string_view heads[] = {
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "HEAD / HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"};
    for (std::string_view head : heads) {
      StreamId id = session_->open();
      begin(id, {.head = head.starts_with("HEAD"), .connect = head.starts_with("CONNECT")});
      require(session_->provide(id, head) == head.size(), "there is room for a head");
    }
  }

  void answer(StreamId id) {
    constexpr std::string_view answers[] = {
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\na: b\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\nuntil the end", "HTTP/1.1 101 Switching Protocols\r\n\r\nbytes"};
    (void)session_->provide(id, answers[choices_ >> 1 & 3]);
    if ((choices_ & 8) != 0) session_->finish(id);
  }

  bool server_;
  uint8_t choices_;
  std::map<StreamId, bool> known_;
  std::map<StreamId, Reader> live_;
  std::vector<StreamId> owed_;
  size_t held_ = 0;
  int overs_ = 0;
  std::unique_ptr<H2Session> session_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 3) return 0;
  bool server = (data[0] & 1) == 0;
  Owner owner(server ? H2Session::Role::server : H2Session::Role::client, data[1]);
  std::string bytes;
  if (server && (data[0] & 2) == 0) bytes += http::h2_preface;
  if ((data[0] & 4) == 0) bytes.append("\0\0\0\4\0\0\0\0\0", 9);  // SETTINGS
  bytes.append(reinterpret_cast<const char*>(data) + 3, size - 3);
  size_t piece = data[2] == 0 ? bytes.size() : data[2];
  for (size_t at = 0; at < bytes.size(); at += piece) owner.feed(std::string_view(bytes).substr(at, piece));
  owner.finish();
  return 0;
}
