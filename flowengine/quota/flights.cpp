#include "flowengine/quota/flights.h"

namespace lunar {

// Numbers that are given out in sequence fall into different buckets by the multiplication (Fibonacci hashing).
size_t Flights::home(TransactionId transaction) const {
  uint64_t mixed = static_cast<uint64_t>(transaction) * 0x9e3779b97f4a7c15ULL;
  return static_cast<size_t>(mixed >> 32) & (buckets_.size() - 1);
}

size_t Flights::bucket_of(TransactionId transaction) const {
  size_t bucket = home(transaction);
  while (buckets_[bucket] != none && links_[buckets_[bucket]].transaction != transaction)
    bucket = (bucket + 1) & (buckets_.size() - 1);
  return bucket;
}

bool Flights::contains(TransactionId transaction) const {
  return size_ != 0 && buckets_[bucket_of(transaction)] != none;
}

void Flights::grow() {
  buckets_.assign(buckets_.empty() ? 16 : buckets_.size() * 2, none);
  for (uint32_t at = first_; at != none; at = links_[at].next) buckets_[bucket_of(links_[at].transaction)] = at;
}

bool Flights::insert(TransactionId transaction, SteadyTime since) {
  if (contains(transaction)) return false;
  if ((size_ + 1) * 2 > buckets_.size()) grow();
  uint32_t at = free_;
  if (at == none) {
    at = static_cast<uint32_t>(links_.size());
    links_.emplace_back();
  } else {
    free_ = links_[at].next;
  }
  Link& link = links_[at];
  link.transaction = transaction;
  link.since = since;
  link.previous = last_;
  link.next = none;
  (last_ == none ? first_ : links_[last_].next) = at;
  last_ = at;
  buckets_[bucket_of(transaction)] = at;
  ++size_;
  return true;
}

// Moves back what was displaced over the emptied bucket, so that no search ends too early.
void Flights::close_gap(size_t gap) {
  size_t mask = buckets_.size() - 1;
  for (size_t at = (gap + 1) & mask; buckets_[at] != none; at = (at + 1) & mask) {
    size_t wanted = home(links_[buckets_[at]].transaction);
    if (((at - wanted) & mask) < ((at - gap) & mask)) continue;
    buckets_[gap] = buckets_[at];
    gap = at;
  }
  buckets_[gap] = none;
}

bool Flights::erase(TransactionId transaction) {
  if (size_ == 0) return false;
  size_t bucket = bucket_of(transaction);
  uint32_t at = buckets_[bucket];
  if (at == none) return false;
  Link& link = links_[at];
  (link.previous == none ? first_ : links_[link.previous].next) = link.next;
  (link.next == none ? last_ : links_[link.next].previous) = link.previous;
  close_gap(bucket);
  link.next = free_;
  free_ = at;
  --size_;
  return true;
}

const Flights::Flight& Flights::oldest(size_t index) const {
  uint32_t at = first_;
  while (index-- > 0) at = links_[at].next;
  return links_[at];
}

}  // namespace lunar
