#include <doctest/doctest.h>

#include "tests/script/script_host.h"

using namespace lunar;
using namespace lunar::testing;

namespace {

ScriptReply run(Scripts& scripts, std::string_view script, uint32_t timeout = 50, uint32_t heap = 16) {
  return scripts.client.run(
      {.script = script, .timeout_ms = timeout, .max_heap_mb = heap, .request = R"({"headers":{}})", .response = {}});
}

bool works(Scripts& scripts) { return run(scripts, "request.headers.a = 'b'", 500).success; }

}  // namespace

TEST_CASE("script limits: an endless loop ends at its CPU time, whatever it loops in") {
  Scripts scripts;
  for (const std::string_view script :
       {"for (;;) {}", "try { for (;;) {} } finally { for (;;) {} }", "/(a*)*b/.test(Array(50000).join('a'))",
        "/(x+x+)+y/.test(Array(28).join('x'))", "var a = []; for (;;) { a = [a.length]; }",
        "Object.defineProperty(request, 'path', {get: function () { for (;;) {} }})",
        "request.body = {toJSON: function () { for (;;) {} }}", "throw {toString: function () { for (;;) {} }}"}) {
    CAPTURE(script);
    const auto reply = run(scripts, script);
    CHECK_FALSE(reply.success);
    CHECK((reply.text == "used more than 50 ms of CPU time" || reply.text.starts_with("RangeError")));
    CHECK(works(scripts));
  }
}

TEST_CASE("script limits: a longer CPU time lets a script end that a shorter one does not") {
  Scripts scripts;
  const std::string_view script = "for (var i = 0; i < 3000000; i++) {}";
  CHECK_FALSE(run(scripts, script, 10).success);
  CHECK(run(scripts, script, 1000).success);
}

TEST_CASE("script limits: memory bombs fail at max_heap_mb, and the next call has all of it") {
  Scripts scripts;
  for (const std::string_view script :
       {"var a = []; for (;;) a.push(new Array(1000).join('x') + a.length);", "var s = 'x'; for (;;) s += s;",
        "var a = new ArrayBuffer(1 << 28);", "var b = []; for (;;) b.push(new Uint8Array(1 << 20));",
        "Array(1 << 29).join('abc')", "var s = 'x'; for (var i = 0; i < 24; i++) s += s; request.body = s + s;"}) {
    CAPTURE(script);
    const auto reply = run(scripts, script, 1000);
    CHECK_FALSE(reply.success);
    // Collecting garbage of many small pieces takes long when there is little room left.
    CHECK((reply.text.starts_with("used more than 16 MB of memory") ||
           reply.text == "used more than 1000 ms of CPU time" || reply.text.starts_with("RangeError")));
    CHECK(works(scripts));
  }
}

TEST_CASE("script limits: a larger heap holds what a smaller one does not") {
  Scripts scripts;
  const std::string_view script = "var s = 'x'; for (var i = 0; i < 24; i++) s += s;";
  CHECK_FALSE(run(scripts, script, 1000, 16).success);
  CHECK(run(scripts, script, 1000, 128).success);
  CHECK(run(scripts, "", 1000, 1).success);
}

TEST_CASE("script limits: deep recursion is an error of the script") {
  Scripts scripts;
  for (const std::string_view script :
       {"function f() { return f() + 1; } f();", "function f() { [1].forEach(f); } f();",
        "var o = {}; o.toJSON = function () { return JSON.stringify(o); }; JSON.stringify(o);",
        "var a = []; for (var i = 0; i < 100000; i++) a = [a]; JSON.stringify(a);", "eval(Array(100000).join('('));",
        "new RegExp(Array(100000).join('('))"}) {
    CAPTURE(script);
    CHECK_FALSE(run(scripts, script, 1000).success);
    CHECK(works(scripts));
  }
}

TEST_CASE("script limits: nothing reaches the outside") {
  Scripts scripts;
  for (const std::string_view name :
       {"require", "process", "print", "alert", "console", "load", "readFile", "setTimeout", "setInterval",
        "XMLHttpRequest", "fetch", "WebSocket", "Duktape", "CBOR", "module", "exports", "importScripts"}) {
    CAPTURE(name);
    CHECK(run(scripts, "if (typeof " + std::string(name) + " !== 'undefined') throw 1;", 500).success);
  }
  CHECK(run(scripts, "new Date().toString(); new Date(2024, 1, 1).getTimezoneOffset();", 500).success);
}

TEST_CASE("script limits: no call sees anything of another one") {
  Scripts scripts;
  for (int i = 0; i < 6; ++i) {
    const auto reply =
        run(scripts,
            "if (typeof seen !== 'undefined' || Array.prototype.seen || request.seen || JSON.seen) throw 'seen';"
            "seen = 1; Array.prototype.seen = 1; request.seen = 1; JSON.seen = 1; this.seen = 1;"
            "JSON.parse = JSON.stringify = Object.keys = function () { return 'mine'; };",
            500);
    CHECK(reply.success);
    CHECK(reply.text == "{}");
  }
}

TEST_CASE("script limits: random numbers differ from call to call") {
  Scripts scripts;
  const std::string_view script = "request.headers.r = Math.random(); if (Math.random() === Math.random()) throw 1;";
  const auto first = run(scripts, script, 500);
  CHECK(first.success);
  CHECK(first.text != run(scripts, script, 500).text);
}

TEST_CASE("script limits: a script that replaces the built-in objects breaks itself at most") {
  Scripts scripts;
  for (const std::string_view script :
       {"String.prototype.toLowerCase = Function.prototype.call = Function.prototype.bind = Array.prototype.forEach = "
        "null; request.headers.a = 'b'",
        "Object.prototype.get = function () { return 'x'; }; request.headers.a = 'b'",
        "Object.freeze(this); Object.freeze(request);", "request = null; JSON = null;",
        "Object.prototype.toJSON = function () { return 5; };",
        "Array.prototype.toJSON = function () { return [['a b', '\\r\\n']]; };",
        "this.constructor.constructor('return this')().request = 1"}) {
    CAPTURE(script);
    const auto reply = run(scripts, script, 500);
    CHECK((reply.success || !reply.text.empty()));
    CHECK(works(scripts));
  }
}
