// Certificates and keys in PEM files.
#pragma once

#include <string>
#include <vector>

#include "agent/net/openssl_handles.h"
#include "flowengine/result.h"

namespace lunar {

// At least one; an error names the file, what is wrong with it and the way out.
[[nodiscard]] Result<std::vector<OpensslHandle<x509_st>>> read_certificates(const std::string& path);

// The file's bytes are wiped from memory. A key with a passphrase is an error, since nobody could be asked for it.
[[nodiscard]] Result<OpensslHandle<evp_pkey_st>> read_private_key(const std::string& path);

}  // namespace lunar
