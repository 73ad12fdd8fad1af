#include "agent/script/interpreter.h"

#include <duktape.h>
#include <sys/random.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>

#include "agent/base/utf8.h"
#include "agent/script/prelude.h"
#include "agent/script/worker.h"
#include "flowengine/script/cesu8.h"
#include "flowengine/script/syntax.h"

namespace lunar::script {
namespace {

constexpr size_t kMaxReason = 500;

[[noreturn]] void give_up(void*, const char*) { _exit(kInterpreterGaveUp); }

void push(duk_context* heap, std::string_view text) { duk_push_lstring(heap, text.data(), text.size()); }

std::string_view string_at(duk_context* heap, duk_idx_t index) {
  duk_size_t size = 0;
  const char* text = duk_safe_to_lstring(heap, index, &size);
  return {text, size};
}

// Characters up to U+00FF as bytes, as in browsers.
duk_ret_t btoa(duk_context* heap) {
  duk_size_t size = 0;
  const char* text = duk_to_lstring(heap, 0, &size);
  auto* bytes = static_cast<unsigned char*>(duk_push_dynamic_buffer(heap, size));
  size_t count = 0;
  for (size_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte >= 0xc2 && byte <= 0xc3 && i + 1 < size)
      bytes[count++] = static_cast<unsigned char>((byte & 3) << 6 | (text[++i] & 0x3f));
    else if (byte < 0x80)
      bytes[count++] = byte;
    else
      return duk_range_error(heap, "btoa: a character is above U+00FF");
  }
  duk_resize_buffer(heap, -1, count);
  duk_base64_encode(heap, -1);
  return 1;
}

// The generator of the interpreter would begin each call with the same numbers. Not for secrets.
duk_ret_t random_number(duk_context* heap) {
  uint64_t bits = 0;
  if (getrandom(&bits, sizeof bits, GRND_NONBLOCK) < 0) bits = 0;
  duk_push_number(heap, static_cast<double>(bits >> 11) * 0x1p-53);
  return 1;
}

void put_function(duk_context* heap, const char* name, duk_c_function function, duk_idx_t arguments) {
  duk_push_c_function(heap, function, arguments);
  duk_put_prop_string(heap, -2, name);
}

// Leaves the prelude on the stack, and nothing that reaches the interpreter itself: no bytecode, no coroutines.
duk_ret_t prepare(duk_context* heap, void*) {
  duk_push_global_object(heap);
  for (const char* name : {"Duktape", "CBOR"}) duk_del_prop_string(heap, -1, name);
  put_function(heap, "btoa", btoa, 1);
  duk_get_prop_string(heap, -1, "Math");
  put_function(heap, "random", random_number, 0);
  duk_pop_2(heap);
  push(heap, kPrelude);
  duk_push_string(heap, "prelude");
  duk_compile(heap, DUK_COMPILE_FUNCTION);
  return 1;
}

struct Call {
  std::string source, request;
  std::optional<std::string> response;
  std::string result;
};

// The prelude is below.
duk_ret_t perform(duk_context* heap, void* argument) {
  auto& call = *static_cast<Call*>(argument);
  push(heap, call.request);
  if (call.response)
    push(heap, *call.response);
  else
    duk_push_undefined(heap);
  push(heap, call.source);
  duk_push_string(heap, "script");
  duk_compile(heap, DUK_COMPILE_FUNCTION);
  duk_call(heap, 3);
  call.result = string_at(heap, -1);
  return 1;
}

std::string one_line(std::string_view reason) {
  std::string text = from_cesu8(reason);
  std::ranges::replace_if(text, [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  return std::string(utf8_prefix(text, kMaxReason));
}

}  // namespace

Interpreter::Interpreter() : heap_(give_up, prepare) {}

Outcome Interpreter::run(const CallTexts& texts, size_t max_heap) {
  Call call{.source = script_source(texts.script), .request = to_cesu8(texts.request), .response = {}, .result = {}};
  if (texts.response) call.response = to_cesu8(*texts.response);
  duk_context* heap = heap_.renew(max_heap);
  if (heap == nullptr) return {.memory_refused = true, .text = "the interpreter alone is larger"};
  if (duk_safe_call(heap, perform, &call, 1, 1) == DUK_EXEC_SUCCESS)
    return {.success = true, .memory_refused = heap_.refused(), .text = from_cesu8(call.result)};
  return {.memory_refused = heap_.refused(), .text = one_line(string_at(heap, -1))};
}

}  // namespace lunar::script
