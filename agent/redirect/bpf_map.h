// The bpf() system calls on a map, with typed keys and values. Only what has a map fd may do; no capability is
// needed for these on Linux >= 6.0, whatever kernel.unprivileged_bpf_disabled says.
#pragma once

#include <bpf/bpf.h>

#include <cerrno>
#include <optional>

#include "flowengine/result.h"

namespace lunar {

template <class Value, class Key>
[[nodiscard]] std::optional<Value> map_find(int map_fd, const Key& key) {
  Value value{};
  if (bpf_map_lookup_elem(map_fd, &key, &value) != 0) return std::nullopt;
  return value;
}

template <class Key, class Value>
[[nodiscard]] Result<> map_put(int map_fd, const Key& key, const Value& value) {
  if (bpf_map_update_elem(map_fd, &key, &value, BPF_ANY) == 0) return {};
  return fail("cannot write to a BPF map", errno);
}

// Advice that may fail without harm.
template <class Key, class Value>
void map_advise(int map_fd, const Key& key, const Value& value) {
  bpf_map_update_elem(map_fd, &key, &value, BPF_ANY);
}
template <class Key>
void map_withdraw(int map_fd, const Key& key) {
  bpf_map_delete_elem(map_fd, &key);
}

// An absent key is no failure: the result is what was asked for.
template <class Key>
[[nodiscard]] Result<> map_erase(int map_fd, const Key& key) {
  if (bpf_map_delete_elem(map_fd, &key) == 0 || errno == ENOENT) return {};
  return fail("cannot delete from a BPF map", errno);
}

}  // namespace lunar
