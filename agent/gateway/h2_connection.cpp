#include "agent/gateway/h2_connection.h"

#include <algorithm>
#include <cerrno>
#include <limits>
#include <utility>

#include "agent/uring/pump.h"

namespace lunar::gateway {
namespace {

// On its way to the peer while more is made.
constexpr uint32_t in_flight_limit = uring::BufferPool::bulk_size;
// How long a client that was told of the end may take to say that it knows. Many look only when they want something.
constexpr Nanoseconds drain_time = std::chrono::milliseconds(250);

}  // namespace

// Codes that no RFC knows are those of an internal error (RFC 9113 §7).
int stream_error(http::H2Code code) {
  constexpr auto most = static_cast<uint32_t>(std::numeric_limits<int>::max());
  const auto value = static_cast<uint32_t>(code);
  return -1 - static_cast<int>(value < most ? value : static_cast<uint32_t>(http::H2Code::internal_error));
}

std::optional<http::H2Code> code_of(int stream_error) {
  if (stream_error >= 0 || stream_error == connection_lost) return std::nullopt;
  return static_cast<http::H2Code>(-1 - stream_error);
}

// One stream, under the uring::Stream that its owner has.
class H2Leg final : public uring::StreamLayer {
 public:
  H2Leg(std::shared_ptr<H2Connection> connection, http::StreamId id) : connection_(std::move(connection)), id_(id) {}

  void begin(uring::Stream& stream) override { stream_ = &stream; }
  void send(uring::Stream& /*stream*/, uring::BufferRef piece) override {
    std::string_view bytes = piece->view();
    if (waiting_.empty() && id_ != 0) bytes.remove_prefix(provide(bytes));
    waiting_.append(bytes);
  }
  void finish(uring::Stream& stream) override {
    finishing_ = true;
    if (waiting_.empty() && id_ != 0) end(stream);
  }
  void took(uring::Stream& /*stream*/, uint32_t bytes) override {
    const auto read = std::min(bytes, unread_);
    unread_ -= read;
    connection_->unread_ -= read;
    connection_->session_.consumed(id_, bytes);
    connection_->call_run();
    connection_->tell_closing();
  }
  void released(uring::Stream& stream) override {
    connection_->unread_ -= std::exchange(unread_, 0);
    connection_->forget(*this, stream);
  }
  [[nodiscard]] bool opening() const override { return false; }
  [[nodiscard]] uint32_t waiting_bytes() const override {
    return static_cast<uint32_t>(waiting_.size() + (id_ == 0 ? 0 : connection_->session_.unsent(id_)));
  }
  [[nodiscard]] bool stalled() const override { return id_ != 0 && connection_->session_.blocked(id_); }

  [[nodiscard]] http::StreamId id() const { return id_; }
  [[nodiscard]] uring::Stream& stream() const { return *stream_; }

  // It has its number now, or there is room again.
  void go_on(http::StreamId id) {
    id_ = id;
    if (!waiting_.empty()) waiting_.erase(0, provide(waiting_));
    if (!waiting_.empty()) return;
    waiting_.shrink_to_fit();
    if (finishing_) end(*stream_);
    stream_->layer_sent();
  }
  // Its owner is told by tell(): what comes together arrives together.
  void gather(std::string_view bytes) {
    unread_ += static_cast<uint32_t>(bytes.size());
    connection_->unread_ += bytes.size();
    while (!bytes.empty()) {
      if (gathered_ != nullptr && gathered_->end == gathered_->capacity) stream_->layer_deliver(std::move(gathered_));
      if (gathered_ == nullptr)
        gathered_ = stream_->buffers().sized(
            static_cast<uint32_t>(std::min<size_t>(bytes.size(), uring::BufferPool::small_size)));
      char* room = gathered_->memory + gathered_->end;
      const size_t taken = bytes.copy(room, gathered_->capacity - gathered_->end);
      gathered_->end += static_cast<uint32_t>(taken);
      bytes.remove_prefix(taken);
    }
  }
  void end_input() {
    deliver();
    stream_->layer_deliver_end(false);
  }
  void fail(int error) {
    deliver();
    stream_->layer_fail(error);
  }
  void tell() {
    deliver();
    stream_->layer_changed();
  }

 private:
  void deliver() {
    if (gathered_ != nullptr) stream_->layer_deliver(std::move(gathered_));
  }
  [[nodiscard]] size_t provide(std::string_view bytes) {
    const size_t taken = connection_->session_.provide(id_, bytes);
    connection_->call_run();
    return taken;
  }
  void end(uring::Stream& stream) {
    connection_->session_.finish(id_);
    connection_->call_run();
    stream.layer_transmit_end();
  }

  const std::shared_ptr<H2Connection> connection_;
  http::StreamId id_;  // 0: none yet
  uring::Stream* stream_ = nullptr;
  std::string waiting_;        // bytes of the owner for which there is no room
  uring::BufferRef gathered_;  // bytes of which the owner does not know yet
  uint32_t unread_ = 0;        // bytes that the owner has not taken
  bool finishing_ = false;
};

H2Connection::H2Connection(uring::Loop& loop, Role role, http::H2Options options, Accept accept)
    : loop_(loop), role_(role), session_(role, std::move(options), *this), accept_(std::move(accept)) {}

H2Connection::~H2Connection() = default;

// The connection

uring::Task<> H2Connection::run(uring::Stream& transport, uring::Waker& waker, std::function<void()> look) {
  waker_ = &waker;
  transport.wake(&waker);
  for (;;) {
    if (look) look();
    receive(transport);
    send(transport);
    begin_drain();
    judge(transport);
    if (lost_ || session_.over()) break;
    transport.wake_when_sent(session_.has_output() || transport.input() != nullptr || cut_);
    co_await waker.wait(reached_ ? drained_by_ : connect_by_);
  }
  waker_ = nullptr;
}

uring::Task<> H2Connection::carry(std::shared_ptr<H2Connection> self, uring::StreamRef transport,
                                  MonotonicTime connect_by) {
  uring::Waker waker(self->loop_);
  self->connect_by_ = connect_by;
  co_await self->run(*transport, waker, {});
  transport.reset();
}

void H2Connection::receive(uring::Stream& transport) {
  while (transport.input() != nullptr && transport.unsent() < in_flight_limit && !session_.over()) {
    uring::adapt_receive(transport, transport.input()->size());
    uring::BufferRef piece = transport.take();
    session_.feed(piece->view(), loop_.now());
    tell_owners();
    send(transport);
  }
}

void H2Connection::judge(const uring::Stream& transport) {
  reached_ = reached_ || (!transport.connecting() && transport.error() == 0);
  if (transport.error() != 0 || (transport.ended() && !session_.over())) lose("the connection has ended");
  if (!reached_ && loop_.now() >= connect_by_) lose("the provider was not reached in time");
  if (cut_ && !session_.has_output() && transport.unsent() == 0) lose("the provider's connection has ended");
}

void H2Connection::send(uring::Stream& transport) {
  while (transport.unsent() < in_flight_limit && session_.has_output()) {
    uring::BufferRef piece = loop_.buffers().sized(uring::BufferPool::small_size);
    piece->end = static_cast<uint32_t>(session_.pull({piece->memory, piece->capacity}));
    if (piece->size() == 0) break;
    transport.send(std::move(piece));
  }
  congested_ = transport.unsent() >= in_flight_limit;
  for (const auto& [id, leg] : legs_) leg->stream().layer_sent();
}

void H2Connection::lose(std::string_view how) {
  lost_ = true;
  session_.abort(http::H2Code::internal_error, how);
}

void H2Connection::begin_drain() {
  const bool due = draining_ == Draining::announced && loop_.now() >= drained_by_;
  if (!due && (draining_ != Draining::wanted || session_.has_output())) return;
  session_.drain();
  draining_ = due || role_ == Role::client ? Draining::done : Draining::announced;
  drained_by_ = draining_ == Draining::done ? MonotonicTime::max() : loop_.now() + drain_time;
  call_run();
}

void H2Connection::call_run() {
  if (waker_ != nullptr) waker_->signal();
}

void H2Connection::drain() {
  closing_ = true;
  if (draining_ != Draining::no) return;
  draining_ = Draining::wanted;
  call_run();
}

void H2Connection::abort() {
  closing_ = true;
  session_.abort(http::H2Code::internal_error, "the gateway ends");
  call_run();
}

void H2Connection::when_closing(std::function<void()> told) {
  when_closing_ = std::move(told);
  tell_closing();
}

void H2Connection::tell_closing() {
  if (!closing_ || unread_ != 0 || when_closing_ == nullptr) return;
  std::exchange(when_closing_, nullptr)();
}

void H2Connection::settle() {
  settled_ = true;
  if (settling_ != nullptr) settling_->signal();
}

// Streams

uring::StreamRef H2Connection::open() {
  if (closing_ || session_.over()) return nullptr;
  auto leg = std::make_unique<H2Leg>(shared_from_this(), 0);
  waiting_.push_back(leg.get());
  uring::StreamRef stream = uring::Stream::over(loop_, std::move(leg));
  open_waiting();
  return stream;
}

void H2Connection::open_waiting() {
  while (!waiting_.empty() && session_.can_open()) {
    H2Leg* leg = waiting_.front();
    waiting_.pop_front();
    const StreamId id = session_.open();
    legs_.add(id, leg);
    leg->go_on(id);
  }
}

H2Leg* H2Connection::find(StreamId id) const {
  H2Leg* const* found = legs_.find(id);
  return found == nullptr ? nullptr : *found;
}

void H2Connection::forget(H2Leg& leg, const uring::Stream& stream) {
  if (leg.id() == 0) {
    std::erase(waiting_, &leg);
    return;
  }
  const bool known = find(leg.id()) != nullptr;
  if (known) legs_.take(leg.id());
  if (known && role_ == Role::server && stream.resets_on_close() && stream.error() == connection_lost) {
    cut_ = true;
    return call_run();
  }
  const auto code = stream.resets_on_close() ? code_of(stream.error()) : std::nullopt;
  code ? session_.leave(leg.id(), *code) : session_.leave(leg.id());
  call_run();
  if (role_ == Role::client) open_waiting();
  tell_closing();
}

// What the session says

// Everything that one piece of the transport has brought is known before owners act on it.
void H2Connection::tell_owners() {
  for (const StreamId id : touched_)
    if (H2Leg* leg = find(id)) leg->tell();
  touched_.clear();
  for (uring::StreamRef& stream : arrived_) accept_(std::move(stream));
  arrived_.clear();
}

void H2Connection::touch(StreamId id) {
  if (touched_.empty() || touched_.back() != id) touched_.push_back(id);
}

void H2Connection::opened(StreamId id, std::string_view head) {
  auto leg = std::make_unique<H2Leg>(shared_from_this(), id);
  H2Leg& kept = *leg;
  legs_.add(id, &kept);
  arrived_.push_back(uring::Stream::over(loop_, std::move(leg)));
  kept.gather(head);
  touch(id);
}

void H2Connection::received(StreamId id, std::string_view bytes) {
  H2Leg* leg = find(id);
  if (leg == nullptr) return;
  leg->gather(bytes);
  touch(id);
}

void H2Connection::ended(StreamId id) {
  H2Leg* leg = find(id);
  if (leg == nullptr) return;
  leg->end_input();
  touch(id);
}

void H2Connection::closed(StreamId id, const http::H2End& end) {
  H2Leg* leg = find(id);
  const bool whole = end.code == http::H2Code::no_error && session_.complete(id);
  if (leg != nullptr) {
    legs_.take(id);
    if (whole)
      leg->stream().layer_sent();
    else
      leg->fail(lost_ && reached_ ? connection_lost : stream_error(lost_ ? http::H2Code::refused_stream : end.code));
    leg->tell();
  }
  if (role_ == Role::client) open_waiting();
}

void H2Connection::writable(StreamId id) {
  if (H2Leg* leg = find(id)) leg->go_on(id);
}

void H2Connection::peer_settings() {
  settle();
  open_waiting();
}

void H2Connection::peer_goaway(const http::H2End& /*end*/) {
  closing_ = true;
  for (H2Leg* leg : std::exchange(waiting_, {})) {
    leg->stream().layer_fail(stream_error(http::H2Code::refused_stream));
    leg->stream().layer_changed();
  }
  tell_closing();
}

void H2Connection::over(const http::H2End& end) {
  settle();
  peer_goaway(end);
}

}  // namespace lunar::gateway
