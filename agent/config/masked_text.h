// A configuration file as it may be shown: what looks like a key or a password is masked.
#pragma once

#include <string>

namespace lunar {

// By name (`password: x`, `{key: x-api-key, value: x}`), by form (`Bearer x`, `scheme://user:x@host`, private keys in
// PEM). What is masked too much costs a reader; what is masked too little costs a secret: in doubt it is masked.
[[nodiscard]] std::string masked_text(std::string text);

}  // namespace lunar
