#include "flowengine/script/syntax.h"

#include <algorithm>
#include <cstdlib>

#include "flowengine/script/cesu8.h"
#include "flowengine/script/heap_cap.h"

namespace lunar {
namespace {

constexpr size_t kHeapLimit = 64 << 20;

struct Compilation {
  std::string source;
  std::optional<ScriptFault> fault;
};

// Everything that may throw is behind a protected call, so this is for bugs of the interpreter alone.
[[noreturn]] void end_process(void*, const char*) { std::abort(); }

std::string_view line_of(std::string_view script, uint32_t line) {
  for (; line > 1 && script.contains('\n'); --line) script.remove_prefix(script.find('\n') + 1);
  return script.substr(0, script.find('\n'));
}

// Duktape adds " (line 3)" to its messages, in numbers of the wrapped source.
std::string without_line(std::string text) {
  if (const size_t at = text.rfind(" (line "); at != std::string::npos) text.resize(at);
  std::ranges::replace(text, '\n', ' ');
  return text;
}

duk_ret_t compile(duk_context* heap, void* argument) {
  auto& work = *static_cast<Compilation*>(argument);
  duk_push_lstring(heap, work.source.data(), work.source.size());
  duk_push_string(heap, "script");
  if (duk_pcompile(heap, DUK_COMPILE_FUNCTION) == 0) return 0;
  work.fault.emplace();
  duk_get_prop_string(heap, -1, "lineNumber");
  work.fault->at.line = static_cast<uint32_t>(duk_to_uint32(heap, -1));
  duk_pop(heap);
  work.fault->text = duk_safe_to_string(heap, -1);
  return 0;
}

std::optional<ScriptFault> compile_source(std::string source) {
  Compilation work{.source = std::move(source), .fault = {}};
  HeapCap cap(kHeapLimit);
  duk_context* heap = cap.make_heap(end_process);
  if (heap == nullptr || duk_safe_call(heap, compile, &work, 0, 1) != DUK_EXEC_SUCCESS)
    return ScriptFault{.at = {.line = 1, .column = 1}, .text = "the script is too large to be compiled"};
  return work.fault;
}

std::string opened_source(std::string_view script) { return "function () {\n" + to_cesu8(script) + "\n"; }

// Duktape stops reading behind the first function. One that ends without our brace was closed by the script.
bool closes_function(std::string_view script) { return !compile_source(opened_source(script)); }

uint32_t closing_line(std::string_view script) {
  uint32_t low = 1;
  auto high = static_cast<uint32_t>(1 + std::ranges::count(script, '\n'));
  while (low < high) {
    const uint32_t middle = (low + high) / 2;
    const std::string_view line = line_of(script, middle);
    const auto end = static_cast<size_t>(line.data() + line.size() - script.data());
    if (closes_function(script.substr(0, end)))
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

ScriptFault placed(std::string_view script, uint32_t line, std::string text) {
  const auto lines = static_cast<uint32_t>(1 + std::ranges::count(script, '\n'));
  line = std::clamp(line, 1U, lines);
  const std::string_view content = line_of(script, line);
  const size_t column = std::min(content.find_first_not_of(" \t"), content.size()) + 1;
  return {.at = {.line = line, .column = static_cast<uint32_t>(column)}, .text = std::move(text)};
}

}  // namespace

std::string script_source(std::string_view script) { return opened_source(script) + "}"; }

std::optional<ScriptFault> check_syntax(std::string_view script) {
  if (auto fault = compile_source(script_source(script))) {
    return placed(script, fault->at.line > 1 ? fault->at.line - 1 : 1,
                  without_line(std::move(fault->text)) +
                      "; scripts are ECMAScript 5.1: no let, arrow functions, classes or template strings");
  }
  if (!closes_function(script)) return std::nullopt;
  return placed(script, closing_line(script),
                "SyntaxError: a brace closes the function that the script is the body of");
}

}  // namespace lunar
