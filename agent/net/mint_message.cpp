#include "agent/net/mint_message.h"

#include <chrono>
#include <type_traits>
#include <utility>
#include <vector>

namespace lunar {
namespace {

enum class Outcome : uint64_t { refused = 0, minted = 1 };

// Numbers of 64 bits; texts and lists behind their size.
class Writer {
 public:
  void number(uint64_t value) { out_.append(reinterpret_cast<const char*>(&value), sizeof value); }

  void text(std::string_view text) {
    number(text.size());
    out_.append(text);
  }

  void texts(const std::vector<std::string>& list) {
    number(list.size());
    for (const std::string& one : list) text(one);
  }

  void addresses(const std::vector<IpAddress>& list) {
    number(list.size());
    for (const IpAddress& one : list) out_.append(reinterpret_cast<const char*>(one.bytes.data()), one.bytes.size());
  }

  [[nodiscard]] std::string take() && { return std::move(out_); }

 private:
  std::string out_;
};

// Once the bytes have ended too early everything is empty, and complete() tells.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}

  uint64_t number() {
    uint64_t out = 0;
    take(sizeof out).copy(reinterpret_cast<char*>(&out), sizeof out);
    return out;
  }

  std::string text() { return std::string(take(number())); }

  std::vector<std::string> texts() {
    std::vector<std::string> out(count(sizeof(uint64_t)));
    for (std::string& one : out) one = text();
    return out;
  }

  std::vector<IpAddress> addresses() {
    std::vector<IpAddress> out(count(sizeof(IpAddress::bytes)));
    for (IpAddress& one : out) take(sizeof one.bytes).copy(reinterpret_cast<char*>(one.bytes.data()), sizeof one.bytes);
    return out;
  }

  [[nodiscard]] bool complete() const { return !broken_ && rest_.empty(); }

 private:
  std::string_view take(uint64_t size) {
    if (size > rest_.size()) {
      broken_ = true;
      rest_ = rest_.substr(rest_.size());
      size = 0;
    }
    const std::string_view out = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return out;
  }

  // Of a list whose elements have `least` bytes each: memory is for what may really follow.
  size_t count(size_t least) {
    const uint64_t out = number();
    if (out <= rest_.size() / least) return out;
    broken_ = true;
    return 0;
  }

  std::string_view rest_;
  bool broken_ = false;
};

static_assert(std::is_same_v<WallTime::duration, std::chrono::milliseconds>);
void write_time(Writer& to, WallTime time) { to.number(static_cast<uint64_t>(time.time_since_epoch().count())); }
WallTime read_time(Reader& from) { return WallTime(WallTime::duration(static_cast<int64_t>(from.number()))); }

}  // namespace

std::string encode(const MintQuestion& question) {
  const LeafRequest& request = question.request;
  Writer out;
  out.number(question.number);
  out.number(static_cast<uint64_t>(request.lifetime.count()));
  out.text(request.public_key);
  out.text(request.host);
  out.text(request.names.common_name);
  out.texts(request.names.dns);
  out.addresses(request.names.addresses);
  return std::move(out).take();
}

Result<MintQuestion> mint_question_from(std::string_view bytes) {
  Reader in(bytes);
  MintQuestion out;
  out.number = in.number();
  out.request.lifetime = std::chrono::seconds(static_cast<int64_t>(in.number()));
  out.request.public_key = in.text();
  out.request.host = in.text();
  out.request.names.common_name = in.text();
  out.request.names.dns = in.texts();
  out.request.names.addresses = in.addresses();
  if (!in.complete()) return fail("not a question for a leaf certificate");
  return out;
}

std::string encode(const MintAnswer& answer) {
  Writer out;
  out.number(answer.number);
  out.number(static_cast<uint64_t>(answer.leaf ? Outcome::minted : Outcome::refused));
  if (answer.leaf) {
    out.text(answer.leaf->certificate);
    out.texts(answer.leaf->chain);
    write_time(out, answer.leaf->validity.not_before);
    write_time(out, answer.leaf->validity.not_after);
  } else {
    out.text(std::string_view(answer.leaf.error().text).substr(0, max_mint_error_bytes));
  }
  return std::move(out).take();
}

Result<MintAnswer> mint_answer_from(std::string_view bytes) {
  Reader in(bytes);
  MintAnswer out;
  out.number = in.number();
  const auto outcome = static_cast<Outcome>(in.number());
  if (outcome == Outcome::minted) {
    out.leaf->certificate = in.text();
    out.leaf->chain = in.texts();
    out.leaf->validity.not_before = read_time(in);
    out.leaf->validity.not_after = read_time(in);
  } else {
    out.leaf = fail(in.text());
  }
  if (!in.complete() || (outcome != Outcome::minted && outcome != Outcome::refused))
    return fail("not an answer about a leaf certificate");
  return out;
}

}  // namespace lunar
