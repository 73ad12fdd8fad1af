#include "agent/http/content_coding.h"

#include <brotli/decode.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "agent/http/field.h"
#include "agent/http/head.h"

namespace lunar::http {
namespace {

constexpr size_t first_size = 4096;

using Text = std::expected<std::string, CodingFault>;

std::unexpected<CodingFault> unreadable() { return std::unexpected(CodingFault::unreadable); }

Text within(std::string_view body, size_t limit) {
  if (body.size() > limit) return std::unexpected(CodingFault::too_long);
  return std::string(body);
}

// Grows in steps, never beyond the limit by more than one byte, which tells that it was passed.
class Output {
 public:
  explicit Output(size_t limit) : limit_(limit) {}

  [[nodiscard]] bool make_room() {
    if (text_.size() > limit_) return false;
    used_ = text_.size();
    text_.resize(std::min(std::max(first_size, used_ * 2), limit_ + 1));
    return text_.size() > used_;
  }
  [[nodiscard]] char* space() { return text_.data() + used_; }
  [[nodiscard]] size_t room() const { return text_.size() - used_; }
  void fill(size_t left) {
    used_ = text_.size() - left;
    text_.resize(used_);
  }
  // `whole`: the data ended where it should.
  [[nodiscard]] Text take(bool whole) {
    if (text_.size() > limit_) return std::unexpected(CodingFault::too_long);
    if (!whole) return unreadable();
    return std::move(text_);
  }

 private:
  size_t limit_;
  size_t used_ = 0;
  std::string text_;
};

enum class ZlibFormat : int { gzip = 15 + 16, zlib = 15, raw = -15 };

Text inflate_text(std::string_view body, ZlibFormat format, size_t limit) {
  z_stream stream{};
  if (inflateInit2(&stream, static_cast<int>(format)) != Z_OK) return unreadable();
  auto end = [](z_stream* one) { inflateEnd(one); };
  std::unique_ptr<z_stream, decltype(end)> guard(&stream, end);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  Output out(limit);
  int state = Z_OK;
  while (state == Z_OK && out.make_room()) {
    stream.next_out = reinterpret_cast<Bytef*>(out.space());
    stream.avail_out = static_cast<uInt>(out.room());
    state = inflate(&stream, Z_NO_FLUSH);
    out.fill(stream.avail_out);
    // Members of a gzip file may follow one another (RFC 1952 §2.2).
    bool further = state == Z_STREAM_END && format == ZlibFormat::gzip && stream.avail_in > 0;
    if (further) state = inflateReset(&stream);
  }
  return out.take(state == Z_STREAM_END && stream.avail_in == 0);
}

Text brotli_text(std::string_view body, size_t limit) {
  std::unique_ptr<BrotliDecoderState, decltype(&BrotliDecoderDestroyInstance)> state(
      BrotliDecoderCreateInstance(nullptr, nullptr, nullptr), &BrotliDecoderDestroyInstance);
  if (state == nullptr) return unreadable();
  const auto* next = reinterpret_cast<const uint8_t*>(body.data());
  size_t left = body.size();
  Output out(limit);
  BrotliDecoderResult result = BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT;
  while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT && out.make_room()) {
    auto* space = reinterpret_cast<uint8_t*>(out.space());
    size_t room = out.room();
    result = BrotliDecoderDecompressStream(state.get(), &left, &next, &room, &space, nullptr);
    out.fill(room);
  }
  return out.take(result == BROTLI_DECODER_RESULT_SUCCESS && left == 0);
}

Text zstd_text(std::string_view body, size_t limit) {
  std::unique_ptr<ZSTD_DStream, decltype(&ZSTD_freeDStream)> stream(ZSTD_createDStream(), &ZSTD_freeDStream);
  if (stream == nullptr || ZSTD_isError(ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, 23)) != 0)
    return unreadable();
  ZSTD_inBuffer in{body.data(), body.size(), 0};
  Output out(limit);
  size_t rest = 1;
  while (rest != 0 && out.make_room()) {
    ZSTD_outBuffer space{out.space(), out.room(), 0};
    size_t before = in.pos;
    rest = ZSTD_decompressStream(stream.get(), &space, &in);
    if (ZSTD_isError(rest) != 0) return unreadable();
    out.fill(space.size - space.pos);
    bool stuck = in.pos == before && space.pos == 0;
    if (stuck && rest != 0) return unreadable();
  }
  return out.take(rest == 0 && in.pos == in.size);
}

Text decode_one(std::string_view body, std::string_view coding, size_t limit) {
  auto is = [coding](std::string_view name) { return equal_ignoring_case(coding, name); };
  if (is("identity")) return within(body, limit);
  if (is("gzip") || is("x-gzip")) return inflate_text(body, ZlibFormat::gzip, limit);
  if (is("br")) return brotli_text(body, limit);
  if (is("zstd")) return zstd_text(body, limit);
  if (!is("deflate")) return unreadable();
  // Some servers send the bare format without the zlib wrapper (RFC 9110 §8.4.1.2).
  Text out = inflate_text(body, ZlibFormat::zlib, limit);
  return out == unreadable() ? inflate_text(body, ZlibFormat::raw, limit) : out;
}

}  // namespace

std::expected<std::string, CodingFault> decode_content(std::string_view body, std::string_view coding, size_t limit) {
  std::vector<std::string_view> codings;
  for_each_member(coding, [&codings](std::string_view one) { codings.push_back(one); });
  constexpr size_t most_codings = 4;
  if (codings.size() > most_codings) return unreadable();
  if (codings.empty()) return within(body, limit);
  Text out = decode_one(body, codings.back(), limit);
  for (auto one = codings.rbegin() + 1; out && one != codings.rend(); ++one) out = decode_one(*out, *one, limit);
  return out;
}

}  // namespace lunar::http
