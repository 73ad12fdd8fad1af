// Transactions that hold something of a node, in the order in which they took it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "flowengine/instant.h"

namespace lunar {

// One client request and the answer to it; unique within the process.
enum class TransactionId : uint64_t {};

// A set with constant-time membership that allocates only while it grows.
class Flights {
 public:
  struct Flight {
    TransactionId transaction{};
    SteadyTime since{};
  };

  [[nodiscard]] bool contains(TransactionId transaction) const;
  bool insert(TransactionId transaction, SteadyTime since);  // false: it is there already, and keeps its time
  bool erase(TransactionId transaction);                     // false: it was not there
  [[nodiscard]] size_t size() const { return size_; }
  [[nodiscard]] bool empty() const { return size_ == 0; }
  // The `index`-th oldest, from 0 and below size().
  [[nodiscard]] const Flight& oldest(size_t index = 0) const;

 private:
  static constexpr uint32_t none = UINT32_MAX;
  struct Link : Flight {
    uint32_t previous = none, next = none;
  };

  [[nodiscard]] size_t home(TransactionId transaction) const;
  [[nodiscard]] size_t bucket_of(TransactionId transaction) const;  // where it is, or where it would go
  void grow();
  void close_gap(size_t bucket);

  std::vector<Link> links_;
  std::vector<uint32_t> buckets_;  // indexes of links; open addressing, at most half full
  uint32_t first_ = none, last_ = none, free_ = none;
  size_t size_ = 0;
};

}  // namespace lunar
