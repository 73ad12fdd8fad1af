// The provider: answers every request with the number that it carries and as many bytes as it asks for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/base/fd.h"
#include "tests/bench/peer/reactor.h"
#include "tests/bench/peer/tls.h"
#include "tests/bench/peer/wire.h"

namespace lunar::bench {

class OriginConnection;

class Origin final : public Watcher {
 public:
  // `netns` is the path of the namespace in which to listen. `tls`: null for connections in clear.
  Origin(Reactor& reactor, const Pattern& pattern, const char* netns, const Endpoint& address, const TlsContext* tls);
  ~Origin();

  void ready(uint32_t events) override;  // accepts

  // While holding, requests are read and not answered: all connections of a gateway are in use at the same time.
  void hold() { holding_ = true; }
  void release();
  [[nodiscard]] size_t held() const { return held_.size(); }
  [[nodiscard]] size_t open() const { return connections_.size() - free_.size(); }
  [[nodiscard]] Handshakes handshakes() const { return tls_ == nullptr ? Handshakes{} : tls_->handshakes(); }

 private:
  friend class OriginConnection;

  [[nodiscard]] std::string_view small_answer(const Asked& asked);

  Reactor& reactor_;
  const Pattern& pattern_;
  const TlsContext* tls_;
  Fd listener_;
  std::vector<std::unique_ptr<OriginConnection>> connections_;
  std::vector<OriginConnection*> free_;
  std::vector<OriginConnection*> held_;
  std::string scratch_;
  std::string answer_;  // the last small answer, renumbered in place
  uint64_t answer_size_ = 0;
  Ending answer_ending_ = Ending::keep_alive;
  size_t answer_head_size_ = 0;
  bool holding_ = false;
};

}  // namespace lunar::bench
