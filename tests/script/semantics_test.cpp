#include <doctest/doctest.h>

#include <optional>

#include "tests/script/script_host.h"

using namespace lunar;
using namespace lunar::testing;

namespace {

using Json = nlohmann::json;

Json changes_of(const ScriptReply& reply) { return reply.success ? Json::parse(reply.text) : Json(); }

// Empty: not among the headers that are left.
std::string header(const ScriptReply& reply, const char* name) {
  const Json changes = changes_of(reply);
  return changes.contains("headers") ? changes["headers"].value(name, "") : "";
}

}  // namespace

TEST_CASE("scripts: a script that changes nothing succeeds without changes") {
  Scripts scripts;
  const auto reply = scripts.request("request.body.a; var x = request.headers.B;",
                                     R"({"headers":{"A":"b"},"body":"{ \"a\" : 1.0 }","path":"/p","query":"q"})");
  CHECK(reply.success);
  CHECK(reply.text == "{}");
}

TEST_CASE("scripts: the example of the specification sets a header from the body, or fails by its own words") {
  Scripts scripts;
  const std::string script =
      "if (!request.body.user) throw 'no user'; request.headers['x-kind'] = request.body.user.kind;";
  const auto reply = scripts.request(script, R"({"headers":{},"body":"{\"user\":{\"kind\":\"gold\"}}"})");
  CHECK(reply.success);
  CHECK(header(reply, "x-kind") == "gold");
  CHECK_FALSE(changes_of(reply).contains("body"));
  const auto failed = scripts.request(script, R"({"headers":{},"body":"{}"})");
  CHECK_FALSE(failed.success);
  CHECK(failed.text == "no user");
}

TEST_CASE("scripts: what was written before an error does not apply") {
  Scripts scripts;
  const auto reply = scripts.request("request.headers.a = 'b'; request.path = '/x'; undefined.member;");
  CHECK_FALSE(reply.success);
  CHECK(reply.text.starts_with("TypeError"));
}

TEST_CASE("scripts: every writable member of a request is told, and others are not") {
  Scripts scripts;
  const auto reply = scripts.request(
      "request.path = '/new'; request.query = 'a=b'; request.host = 'other.example.com'; request.method = 'PUT';"
      "request.body.list.push(3); delete request.headers['x-old']; request.headers['X-NUMBER'] = 5; request.id = 1;",
      R"({"method":"POST","path":"/old","query":"","host":"h","headers":{"X-Old":"1","X-Number":"4","Kept":"k"},"body":"{\"list\":[1,2]}"})");
  const Json changes = changes_of(reply);
  CHECK(changes_of(reply)["path"] == "/new");
  CHECK(changes_of(reply)["query"] == "a=b");
  CHECK(changes_of(reply)["host"] == "other.example.com");
  CHECK(changes_of(reply)["body"] == R"({"list":[1,2,3]})");
  CHECK(changes["headers"] == Json{{"x-number", "5"}, {"kept", "k"}});
  CHECK(changes.size() == 5);
}

TEST_CASE("scripts: in the response phase the response is written to and the request is read") {
  Scripts scripts;
  const auto reply = scripts.response(
      "response.status = 418; response.headers['x-m'] = request.method; response.body = 'short';"
      "request.headers.a = 'ignored';",
      R"({"status":200,"headers":{},"body":"long"})");
  CHECK(changes_of(reply) == Json{{"status", 418}, {"headers", {{"x-m", "POST"}}}, {"body", "short"}});
  CHECK_FALSE(scripts.request("response.status").success);
}

TEST_CASE("scripts: bodies that are no JSON objects are text, and a body may be taken away or made") {
  Scripts scripts;
  const auto body = [&](std::string_view script, std::string_view document) {
    const Json changes = changes_of(scripts.request(script, document));
    return changes.contains("body") ? std::optional(changes["body"].get<std::string>()) : std::nullopt;
  };
  CHECK(body("request.body += '!'", R"({"headers":{},"body":"text"})") == "text!");
  CHECK(body("request.body += '!'", R"({"headers":{},"body":"{broken"})") == "{broken!");
  CHECK(body("delete request.body", R"({"headers":{},"body":"text"})") == "");
  CHECK(body("request.body = null", R"({"headers":{},"body":"[1]"})") == "");
  CHECK(body("request.body = {a: [true]}", R"({"headers":{}})") == R"({"a":[true]})");
  CHECK(body("request.body = 5", R"({"headers":{},"body":"text"})") == "5");
  CHECK_FALSE(body("request.body = request.body", R"({"headers":{},"body":"text"})"));
  CHECK_FALSE(body("if (request.body !== undefined) throw 1", R"({"headers":{}})"));
  CHECK_FALSE(body("JSON.stringify(request)", R"({"headers":{},"body":" [1, 2]"})"));
}

TEST_CASE("scripts: header names ignore case, and all headers can be replaced at once") {
  Scripts scripts;
  const auto reply = scripts.request(
      "if (request.headers['CONTENT-TYPE'] !== 'a/b' || !('content-type' in request.headers)) throw 'case';"
      "if (Object.keys(request.headers).join() !== 'Content-Type,X') throw 'keys';"
      "request.headers = {x: '1', 'New': 'n'};",
      R"({"headers":{"Content-Type":"a/b","X":"1"}})");
  CHECK(reply.success);
  CHECK(changes_of(reply) == Json{{"headers", {{"x", "1"}, {"new", "n"}}}});
}

TEST_CASE("scripts: text of all scripts comes back as it went in, and has the length of JavaScript") {
  Scripts scripts;
  const auto reply = scripts.request(
      "if (request.headers.e !== '\U0001F600' || request.headers.e.length !== 2) throw 'length';"
      "request.headers.copy = request.headers.e + '\u00e9\u4e2d\U00020000';"
      "request.body.t = request.body.t + '\\ud83d'; ",
      "{\"headers\":{\"e\":\"\U0001F600\"},\"body\":\"{\\\"t\\\":\\\"\U0001F468\u200d\U0001F469 \u05d0\\\"}\"}");
  CHECK(reply.success);
  CHECK(header(reply, "copy") == "\U0001F600\u00e9\u4e2d\U00020000");
  CHECK(changes_of(reply)["body"] == "{\"t\":\"\U0001F468\u200d\U0001F469 \u05d0\ufffd\"}");
}

TEST_CASE("scripts: btoa encodes characters as bytes and refuses those that are none") {
  Scripts scripts;
  CHECK(header(scripts.request("request.headers.a = btoa('user:p\u00e4ss')"), "a") == "dXNlcjpw5HNz");
  CHECK(header(scripts.request("request.headers.a = btoa('')"), "a") == "");
  CHECK(header(scripts.request("request.headers.a = btoa(12)"), "a") == "MTI=");
  CHECK_FALSE(scripts.request("btoa('\u20ac')").success);
}

TEST_CASE("scripts: a return and errors of every type end a script as they should") {
  Scripts scripts;
  CHECK(scripts.request("return 5; throw 1").success);
  CHECK(scripts.request("throw new Error('told\\nso')").text == "Error: told so");
  CHECK(scripts.request("throw {}").text == "[object Object]");
  CHECK_FALSE(scripts.request("throw undefined").success);
  CHECK_FALSE(scripts.request("throw {toString: function () { throw 1; }}").success);
  CHECK(scripts.request("var").text.starts_with("SyntaxError"));
  CHECK(scripts.request("throw Array(100000).join('x')").text.size() <= 500);
}

TEST_CASE("scripts: a header that is no text is a failure, and one that is null is taken away") {
  Scripts scripts;
  CHECK(scripts.request("request.headers.a = {}").text == "TypeError: header a is no text");
  CHECK(scripts.request("request.headers.a = null", R"({"headers":{"a":"b"}})").text == R"({"headers":{}})");
  CHECK(scripts.request("request.headers = null", R"({"headers":{"a":"b"}})").text == R"({"headers":{}})");
  CHECK(header(scripts.request("request.headers.a = true; request.headers.b = 1.5"), "b") == "1.5");
}

TEST_CASE("scripts: a body that the caller has parsed is a value like any other") {
  Scripts scripts;
  const std::string_view document = R"({"headers":{},"body":{"a":[1,2]}})";
  CHECK(scripts.request("request.body.a", document).text == "{}");
  CHECK(scripts.request("request.body.a.pop()", document).text == R"({"body":"{\"a\":[1]}"})");
  CHECK(scripts.request("request.body = JSON.stringify(request.body)", document).text == "{}");
}
