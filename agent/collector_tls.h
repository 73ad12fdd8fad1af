// TLS towards collectors: the engine of agent/net in the form in which agent/state asks for it.
#pragma once

#include <memory>
#include <string>

#include "agent/net/tls_context.h"
#include "agent/state/secure_channel.h"

namespace lunar {

// HTTP/1.1 inside. The collector's certificate must be valid for `host` now, unless the context does not verify.
[[nodiscard]] Result<std::unique_ptr<SecureChannel>> open_collector_channel(const TlsClientContext& context,
                                                                            const std::string& host, uint16_t port);

}  // namespace lunar
