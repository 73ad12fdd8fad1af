// What gateway and supervisor say to each other about leaf certificates, each as if the other one were hostile.
#include <openssl/err.h>

#include <algorithm>

#include "agent/net/mint_message.h"
#include "tests/fuzz/invariant.h"
#include "tests/net/leaf_verdict.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

constexpr WallTime now{std::chrono::sys_days{std::chrono::year{2026} / 6 / 15}};

LocalAuthority authority() {
  auto out = LocalAuthority::create({}, now);
  require(out.has_value(), "an authority can be made");
  return std::move(*out);
}

void check_question(const LeafRequest& request) {
  static const LocalAuthority by = authority();
  const auto minted = by.mint(request, now);
  require(ERR_peek_error() == 0, "nothing stays in OpenSSL's queue");
  if (!minted) {
    const auto shown = [](unsigned char c) { return c >= ' ' && c < 0x7f; };
    return require(std::ranges::all_of(minted.error().text, shown), "a refusal can stand in a log line");
  }
  require(test::verdict(*minted, by.trust_bundle(now), "", now) == X509_V_OK, "clients take what was minted");
  require(minted->validity.not_after <= now + request.lifetime, "a leaf lives no longer than was asked for");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const Exact bytes({reinterpret_cast<const char*>(data), size});
  if (const auto question = mint_question_from(bytes.view())) {
    require(encode(*question) == bytes.view(), "a question is written as it was read");
    check_question(question->request);
  }
  if (const auto answer = mint_answer_from(bytes.view())) {
    const bool cut = !answer->leaf && answer->leaf.error().text.size() > max_mint_error_bytes;
    require(cut || encode(*answer) == bytes.view(), "an answer is written as it was read");
  }
  return 0;
}
