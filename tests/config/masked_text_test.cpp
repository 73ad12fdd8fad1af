#include "agent/config/masked_text.h"

#include <doctest/doctest.h>

#include "flowengine/digest.h"

using namespace lunar;

namespace {

bool hides(const std::string& text) { return masked_text(text).find("hush") == std::string::npos; }

}  // namespace

TEST_CASE("masked text: values of secret names are masked in every spelling of YAML") {
  for (const char* text :
       {"password: hush", "  api_key:  hush # why\n", "{a: 1, client_secret: hush, b: 2}", R"({"apiKey":"hush","b":1})",
        "- key: Authorization\n  value: hush\n", "{key: x-api-key, value: 'hu''hush'}",
        R"({"key":"access_token","value":"hush"})", "set: {\"$.request.headers.Authorization\": hush}",
        "token: |\n  hush\n  hush\n", "refresh_token: >-\n    hush\n\n    hush\nnext: 1",
        "Cookie: \"a=hush; b=\\\"hush\\\"\"", "X-API-Key: hush", "- password: hush"}) {
    CAPTURE(text);
    CHECK(hides(text));
  }
}

TEST_CASE("masked text: secrets are known by their form as well") {
  CHECK(masked_text("url: https://user:hush@store.example.com/x") == "url: https://********@store.example.com/x");
  CHECK(hides("value: Bearer hush.hush-hush"));
  CHECK(hides("a: |\n  -----BEGIN EC PRIVATE KEY-----\n  hush\n  -----END EC PRIVATE KEY-----\n"));
}

TEST_CASE("masked text: the rest is as it was") {
  for (const char* text : {"- {key: quota_id, value: PerTeam}\n- key: caching_key_parts\n  value: [$.request.path]\n",
                           "max_tokens: 5\ncounter_value_path: $.response.usage.total_tokens\n",
                           "filter: {url: api.example.com/*}\nname: A: b\n", "group_by_header: x-api-key\n", "", "\n\n",
                           "secret:\n  name: x\n", "no line feed"}) {
    CAPTURE(text);
    CHECK(masked_text(text) == text);
  }
}

TEST_CASE("digest: MD5 is what md5sum prints") {
  CHECK(md5_hex("") == "d41d8cd98f00b204e9800998ecf8427e");
  CHECK(md5_hex("message digest") == "f96b697d7cb7938d525a2f31aaf161d0");
}
