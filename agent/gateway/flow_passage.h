// A request that flows are concerned with, from its head to the end of its answer: what the engine asks for is done
// here (design: the engine decides, the agent acts). Requests that no flow concerns never come here.
#pragma once

#include <memory>

#include "agent/gateway/exchange.h"
#include "agent/gateway/flow_state.h"
#include "agent/uring/frame_pool.h"

namespace lunar::gateway {

// What was found of a request before its head left the input.
struct ConcernedFlows {
  static void* operator new(size_t bytes) { return uring::FramePool::allocate(bytes); }
  static void operator delete(void* block, size_t bytes) noexcept { uring::FramePool::release(block, bytes); }

  std::shared_ptr<const ActivePlan> active;
  std::unique_ptr<lunar::Request> request;  // owns its texts
  std::string id_text;                      // until it does
  std::shared_ptr<const lunar::Caller> caller;
  Transaction transaction;
  Selection selection;

  ConcernedFlows(std::shared_ptr<const ActivePlan> plan, uint64_t seed, uint64_t number)
      : active(std::move(plan)), request(std::make_unique<lunar::Request>()), transaction(seed, number) {}
};

// The request's head lies in the worker's scratch. Null: no flow and no quota is concerned.
[[nodiscard]] std::unique_ptr<ConcernedFlows> find_flows(Session& session);
[[nodiscard]] uring::Task<Served> pass_flows(Session& session, std::unique_ptr<ConcernedFlows> concerned);

}  // namespace lunar::gateway
