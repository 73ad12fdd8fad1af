#include "flowengine/tokens/tokens.h"

#include <string>

#include "flowengine/tokens/merge.h"
#include "flowengine/tokens/pieces.h"
#include "flowengine/tokens/well_formed.h"

namespace lunar {

size_t count_tokens(Encoding encoding, std::string_view text) {
  std::string replaced;
  if (!tokens::is_well_formed(text)) {
    replaced = tokens::well_formed(text);
    text = replaced;
  }
  tokens::PieceEncoder encoder(tokens::EncodingTables::of(encoding));
  size_t total = 0;
  for (tokens::PieceScanner scanner(encoding, text); !scanner.done();) total += encoder.encode(scanner.next()).size();
  return total;
}

}  // namespace lunar
