// What one attempt does to quotas beside its explicit acquires: automatic counting, amounts, and what is owed at its
// end (flows.md §8.4 to §8.7).
#pragma once

#include <memory_resource>
#include <string>
#include <vector>

#include "flowengine/run/effect.h"
#include "flowengine/run/selection.h"

namespace lunar {

class QuotaUse {
 public:
  // All of it outlives the object.
  QuotaUse(const Plan& plan, const Request& request, View& view, std::pmr::memory_resource& memory)
      : plan_(plan), request_(request), view_(view), claims_(&memory), touched_(&memory) {}

  // The claims of nodes that nobody references, one chain after the other; empty when none is left.
  [[nodiscard]] std::span<Claim> next_automatic(const Selection& selection);
  void automatic_counted();  // the claims of next_automatic() say what was counted

  // Claims for a node and its ancestors.
  [[nodiscard]] std::span<const Claim> chain(uint32_t node);
  void acquired();  // the chain made last

  // Nodes that this attempt has asked or counted at.
  template <class Visit>
  void for_each_touched(Visit visit) const {
    for (const Touched& one : touched_) visit(one.node);
  }

  // Whether one of those, or one that learns from every response, needs to see the provider's.
  [[nodiscard]] bool wants_response(const Selection& selection) const;

  // What the end of the attempt owes: additions, releases, and what the provider said.
  void finish(const Selection& selection, const Response* response, std::vector<Emission>& emissions);

 private:
  struct Touched {
    uint32_t node = 0;
    std::string group;
    bool counted = false;    // by automatic counting
    bool automatic = false;  // its response counter stays within the limit
  };
  [[nodiscard]] Claim claim_for(uint32_t node);
  [[nodiscard]] Touched* touched(uint32_t node);
  void touch(const Claim& claim, bool automatic);
  void finish_node(uint32_t node, const Response* response, std::vector<Emission>& emissions);

  const Plan& plan_;
  const Request& request_;
  View& view_;
  std::pmr::vector<Claim> claims_;
  std::pmr::vector<Touched> touched_;
  size_t next_ = 0;  // in the selection's quotas
};

}  // namespace lunar
