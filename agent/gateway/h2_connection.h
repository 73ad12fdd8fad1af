// One HTTP/2 connection of the data path, in either role: its streams are uring::Streams that speak HTTP/1.1, so that a
// session serves one as it serves any other client, and reaches its provider by another.
#pragma once

#include <deque>
#include <functional>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/http/h2_session.h"
#include "agent/http/h2_stream_map.h"
#include "agent/uring/stream.h"
#include "agent/uring/task.h"

namespace lunar::gateway {

class H2Leg;

// A code of HTTP/2 as error() of a stream, and back; of an errno there is none.
[[nodiscard]] int stream_error(http::H2Code code);
[[nodiscard]] std::optional<http::H2Code> code_of(int stream_error);
// error() of a stream whose connection has ended; reset with it, a client's stream takes its connection along. Where
// the connection was never made, the stream is refused instead.
inline constexpr int connection_lost = std::numeric_limits<int>::min();

// One thread. Its streams keep it; it ends when its transport does or when nobody needs it any more.
class H2Connection final : public http::H2Events, public std::enable_shared_from_this<H2Connection> {
 public:
  using Role = http::H2Session::Role;
  // Server role: a client's request has begun, and all of it is there that has come. The stream may be released in the
  // call.
  using Accept = std::function<void(uring::StreamRef stream)>;

  H2Connection(uring::Loop& loop, Role role, http::H2Options options, Accept accept);
  ~H2Connection();

  // Carries everything until the session is over; what it has sent may then be waiting in `transport`, which signals
  // `waker`; unless cut_off(), when the transport is to be reset. `look` is called whenever that was signalled, by
  // others too; it may be empty. Once.
  [[nodiscard]] uring::Task<> run(uring::Stream& transport, uring::Waker& waker, std::function<void()> look);
  // The same with a transport of its own, which is connected by then, as the root of a coroutine.
  [[nodiscard]] static uring::Task<> carry(std::shared_ptr<H2Connection> self, uring::StreamRef transport,
                                           MonotonicTime connect_by = MonotonicTime::max());

  // Client role: a stream for a request, which waits while the peer takes no more of them. Null: it takes none at all.
  [[nodiscard]] uring::StreamRef open();
  // No new streams; ends when those that are open have ended. Says so behind what is ready to be sent.
  void drain();
  void abort();  // everything, now
  // Is called when this one takes no new streams any more, and what has come of the others is with their owners; null:
  // nobody is.
  void when_closing(std::function<void()> told);

  // The peer's settings are known, or never will be. `waker` is signalled when that changes; null: nobody.
  [[nodiscard]] bool settled() const { return settled_; }
  void wake_when_settled(uring::Waker* waker) { settling_ = waker; }
  [[nodiscard]] bool over() const { return session_.over(); }
  [[nodiscard]] bool closing() const { return closing_ || session_.over(); }  // takes no new streams
  // Client role: a further stream would not have to wait.
  [[nodiscard]] bool takes_more() const {
    return !closing() && !congested_ && waiting_.empty() && session_.can_open() && !session_.window_shut();
  }
  [[nodiscard]] bool reached() const { return reached_; }  // the transport was connected, whatever came of it
  [[nodiscard]] bool cut_off() const { return cut_; }
  [[nodiscard]] bool idle() const { return legs_.empty() && waiting_.empty(); }
  [[nodiscard]] bool peer_offers_extended_connect() const { return session_.peer_offers_extended_connect(); }

 private:
  friend class H2Leg;
  using StreamId = http::StreamId;

  void opened(StreamId id, std::string_view head) override;
  void received(StreamId id, std::string_view bytes) override;
  void ended(StreamId id) override;
  void closed(StreamId id, const http::H2End& end) override;
  void writable(StreamId id) override;
  void peer_settings() override;
  void peer_goaway(const http::H2End& end) override;
  void over(const http::H2End& end) override;

  void receive(uring::Stream& transport);
  void send(uring::Stream& transport);
  void judge(const uring::Stream& transport);  // whether it is lost
  void tell_owners();
  void touch(StreamId id);
  void begin_drain();
  void lose(std::string_view how);
  void settle();
  void open_waiting();
  void call_run();  // it has something to send
  void forget(H2Leg& leg, const uring::Stream& stream);
  [[nodiscard]] H2Leg* find(StreamId id) const;
  void tell_closing();

  uring::Loop& loop_;
  const Role role_;
  http::H2Session session_;
  Accept accept_;
  uring::Waker* waker_ = nullptr;  // of run()
  http::H2StreamMap<H2Leg*> legs_;
  std::vector<StreamId> touched_;          // their owners are to be told
  std::vector<uring::StreamRef> arrived_;  // not accepted yet
  std::deque<H2Leg*> waiting_;             // for a number
  enum class Draining : uint8_t { no, wanted, announced, done };

  std::function<void()> when_closing_;
  uring::Waker* settling_ = nullptr;
  bool settled_ = false;
  bool closing_ = false;
  bool reached_ = false;
  bool congested_ = false;  // the transport takes no more at the moment
  bool lost_ = false;       // the transport is gone
  bool cut_ = false;        // server role: the transport is to go
  size_t unread_ = 0;       // bytes that the owners of streams have not taken
  Draining draining_ = Draining::no;
  MonotonicTime drained_by_ = MonotonicTime::max();  // where it is announced
  MonotonicTime connect_by_ = MonotonicTime::max();
};

}  // namespace lunar::gateway
