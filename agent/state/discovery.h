// The discovery state (gateway.md §10): which endpoints were called, how, and by whom. Used by the admin thread alone.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "agent/state/call_facts.h"
#include "agent/state/path_tree.h"
#include "flowengine/plan/plan.h"
#include "flowengine/result.h"

namespace lunar {

class Discovery {
 public:
  static constexpr std::string_view file_name = "discovery-aggregated-state.json";  // in state.dir
  static constexpr auto save_interval = std::chrono::seconds(60);
  static constexpr size_t most_consumers = 1000;         // further tags count as `other`
  static constexpr size_t most_consumer_stats = 50'000;  // of a consumer at an endpoint; further ones count for all
  static constexpr size_t most_interceptors = 1000;

  explicit Discovery(WallTime created) : created_(created) {}

  // Known shapes of paths; what was learned by other ones stays.
  void set_plan(const Plan& plan) { known_ = std::make_unique<const Selector>(plan.known_paths); }

  void add(const CallView& call);
  [[nodiscard]] std::string text() const;                      // JSON
  [[nodiscard]] uint64_t dropped() const { return dropped_; }  // attempts at endpoints for which there was no room

  // Replaces the file as a whole.
  [[nodiscard]] Result<> save(const std::string& path) const;
  // At start, before the first add(). A file that is not there is no error; one that is not as text() writes it is, and
  // changes nothing.
  [[nodiscard]] Result<> load(const std::string& path);
  [[nodiscard]] Result<> restore(std::string_view text);

 private:
  [[nodiscard]] std::vector<PathStep> steps_of(const CallView& call);
  [[nodiscard]] CallStats* consumer_of(EndpointStats& endpoint, std::string_view tag);
  void restore_consumer(EndpointStats* endpoint, std::string_view tag, const CallStats& stats);
  void recount_consumers();
  void see_interceptor(const CallView& call);

  WallTime created_;
  std::unique_ptr<const Selector> known_;
  std::unique_ptr<PathTree> tree_ = std::make_unique<PathTree>();
  std::set<std::string, std::less<>> consumers_;
  size_t consumer_stats_ = 0;
  uint64_t counted_at_ = 0;  // how many collapses of the tree consumer_stats_ knows of
  std::map<std::pair<std::string, std::string>, WallTime> interceptors_;  // type and version
  uint64_t dropped_ = 0;
  std::vector<uint32_t> found_;  // reused
};

}  // namespace lunar
