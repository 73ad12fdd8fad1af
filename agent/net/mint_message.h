// What a gateway and its supervisor say to each other about leaf certificates, one datagram each; pure. Both are the
// same program, so the members stand in a fixed order, numbers in the order of this machine, and none is optional.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "agent/net/authority.h"
#include "flowengine/result.h"

namespace lunar {

inline constexpr size_t max_mint_message_bytes = 128 * 1024;
inline constexpr size_t max_mint_error_bytes = 1024;

struct MintQuestion {
  uint64_t number = 0;  // the same in the answer
  LeafRequest request;
};

struct MintAnswer {
  uint64_t number = 0;
  Result<MintedLeaf> leaf;  // an error's text alone travels
};

// May be larger than a datagram: the sender looks.
[[nodiscard]] std::string encode(const MintQuestion& question);
[[nodiscard]] std::string encode(const MintAnswer& answer);  // cuts a longer error

// All of the bytes are one message, and nothing in it is judged.
[[nodiscard]] Result<MintQuestion> mint_question_from(std::string_view bytes);
[[nodiscard]] Result<MintAnswer> mint_answer_from(std::string_view bytes);

}  // namespace lunar
