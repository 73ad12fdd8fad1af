#include "agent/redirect/ranges.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <vector>

#include "agent/redirect/bpf_map.h"

namespace lunar {

namespace {

struct Builtin {
  std::string_view range;
  lunar_range_kind kind;
};

constexpr std::array<Builtin, 16> builtins{{
    {"0.0.0.0/8", LUNAR_RANGE_NEVER},
    {"10.0.0.0/8", LUNAR_RANGE_NEAR},
    {"100.64.0.0/10", LUNAR_RANGE_NEAR},  // RFC 6598: shared by a provider, private to us
    {"127.0.0.0/8", LUNAR_RANGE_LOCAL},
    {"127.77.0.0/16", LUNAR_RANGE_NEVER},  // our own listeners
    {"169.254.0.0/16", LUNAR_RANGE_NEAR},
    {"172.16.0.0/12", LUNAR_RANGE_NEAR},
    {"192.168.0.0/16", LUNAR_RANGE_NEAR},
    {"224.0.0.0/4", LUNAR_RANGE_NEVER},
    {"240.0.0.0/4", LUNAR_RANGE_NEVER},
    {"::/128", LUNAR_RANGE_NEVER},
    {"::1/128", LUNAR_RANGE_LOCAL},
    {"fe80::/10", LUNAR_RANGE_NEAR},
    {"fec0::/10", LUNAR_RANGE_NEAR},
    {"fc00::/7", LUNAR_RANGE_NEAR},
    {"ff00::/8", LUNAR_RANGE_NEVER},
}};

constexpr unsigned mapped_bits = 96;

bool is_v4(const Prefix& prefix) { return prefix.address.is_v4() && prefix.length >= mapped_bits; }

lunar_prefix4 key4(const Prefix& prefix) {
  lunar_prefix4 key{};
  key.length = prefix.length - mapped_bits;
  std::copy_n(prefix.address.bytes.begin() + 12, sizeof key.addr, key.addr);
  return key;
}

lunar_prefix6 key6(const Prefix& prefix) {
  lunar_prefix6 key{};
  key.length = prefix.length;
  std::ranges::copy(prefix.address.bytes, key.addr);
  return key;
}

// Two prefixes are one key when they agree in the bits that count.
template <class Key>
bool same_range(const Key& a, const Key& b) {
  if (a.length != b.length) return false;
  const size_t whole = a.length / 8;
  if (std::memcmp(a.addr, b.addr, whole) != 0) return false;
  const unsigned rest = a.length % 8;
  return rest == 0 || ((a.addr[whole] ^ b.addr[whole]) >> (8 - rest)) == 0;
}

template <class Key>
std::vector<Key> keys_of(int trie) {
  std::vector<Key> keys;
  Key next{};
  const Key* last = nullptr;
  while (bpf_map_get_next_key(trie, last, &next) == 0) {
    keys.push_back(next);
    last = &keys.back();
  }
  return keys;
}

template <class Key>
Result<> sync_trie(int trie, const std::vector<std::pair<Key, lunar_range>>& wanted) {
  for (const auto& [key, range] : wanted)
    if (auto put = map_put(trie, key, range); !put) return put;
  for (const Key& key : keys_of<Key>(trie)) {
    const bool keep = std::ranges::any_of(wanted, [&](const auto& entry) { return same_range(entry.first, key); });
    if (keep) continue;
    if (auto erased = map_erase(trie, key); !erased) return erased;
  }
  return {};
}

}  // namespace

RangeKinds bypass_ranges(const RouteTable& routes) {
  RangeKinds out;
  for (const Prefix& prefix : routes.connected) out.insert_or_assign(prefix, LUNAR_RANGE_NEAR);
  for (const IpAddress& address : routes.own) out.insert_or_assign(Prefix{address, 128}, LUNAR_RANGE_LOCAL);
  // Last: an address configured on `lo` must not turn our own listeners into something that can be captured.
  for (const Builtin& builtin : builtins)
    if (const auto prefix = Prefix::parse(builtin.range)) out.insert_or_assign(*prefix, builtin.kind);
  return out;
}

Result<> RangeTries::sync(const RangeKinds& ranges) const {
  std::vector<std::pair<lunar_prefix4, lunar_range>> wanted4;
  std::vector<std::pair<lunar_prefix6, lunar_range>> wanted6;
  for (const auto& [prefix, kind] : ranges) {
    if (is_v4(prefix)) {
      const lunar_prefix4 key = key4(prefix);
      wanted4.emplace_back(key, lunar_range{.kind = kind, .length = key.length});
    } else {
      wanted6.emplace_back(key6(prefix), lunar_range{.kind = kind, .length = prefix.length});
    }
  }
  if (auto synced = sync_trie(v4, wanted4); !synced) return synced;
  return sync_trie(v6, wanted6);
}

}  // namespace lunar
