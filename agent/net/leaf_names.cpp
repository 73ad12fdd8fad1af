#include "agent/net/leaf_names.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

namespace lunar {
namespace {

constexpr size_t longest_name = 253;
constexpr size_t longest_label = 63;
constexpr size_t longest_common_name = 64;  // ub-common-name of RFC 5280
constexpr std::string_view no_common_name = "Lunar";
constexpr std::string_view any_label = "*.";

template <class List, class Value>
bool has(const List& list, const Value& value) {
  return std::ranges::find(list, value) != list.end();
}

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_label(std::string_view label) {
  return !label.empty() && label.size() <= longest_label && label.front() != '-' && label.back() != '-' &&
         std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-' || c == '_'; });
}

std::string folded(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

// `*.com` is no wildcard to any client.
bool is_mirrored_name(std::string_view text) {
  if (!text.starts_with(any_label)) return is_host_name(text);
  text.remove_prefix(any_label.size());
  return text.contains('.') && is_host_name(text) && any_label.size() + text.size() <= longest_name;
}

std::string_view bytes_of(const ASN1_STRING& string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(&string)),
          static_cast<size_t>(ASN1_STRING_length(&string))};
}

std::optional<IpAddress> address_of(std::string_view bytes) {
  IpAddress out;
  if (bytes.size() == out.bytes.size()) {
    memcpy(out.bytes.data(), bytes.data(), bytes.size());
    return out.is_v4() ? std::nullopt : std::optional(out);  // would become another kind of name
  }
  uint32_t four = 0;
  if (bytes.size() != sizeof four) return std::nullopt;
  memcpy(&four, bytes.data(), sizeof four);
  return IpAddress::v4(four);
}

// The bytes of the address as RFC 5280 §4.2.1.6 wants them.
std::string_view octets_of(const IpAddress& address) {
  const std::string_view all(reinterpret_cast<const char*>(address.bytes.data()), address.bytes.size());
  return address.is_v4() ? all.substr(12) : all;
}

// Names in the order in which they come, until a limit is reached.
class NameList {
 public:
  explicit NameList(LeafNames& names) : names_(names) {}

  void add_dns(std::string_view text) {
    if (!is_mirrored_name(text) || !fits(text.size()) || has(names_.dns, text)) return;
    names_.dns.emplace_back(text);
    bytes_ += text.size();
  }

  void add_address(const IpAddress& address) {
    if (!fits(octets_of(address).size()) || has(names_.addresses, address)) return;
    names_.addresses.push_back(address);
    bytes_ += octets_of(address).size();
  }

  // The last ones go.
  void make_room_for(size_t size) {
    while (!fits(size)) {
      const bool dns = !names_.dns.empty();
      bytes_ -= dns ? names_.dns.back().size() : octets_of(names_.addresses.back()).size();
      dns ? names_.dns.pop_back() : names_.addresses.pop_back();
    }
  }

  [[nodiscard]] bool full() const { return !fits(0); }

 private:
  [[nodiscard]] bool fits(size_t size) const {
    return names_.dns.size() + names_.addresses.size() < max_leaf_names && bytes_ + size <= max_leaf_name_bytes;
  }

  LeafNames& names_;
  size_t bytes_ = 0;
};

void add_common_name(X509& provider, NameList& list) {
  X509_NAME* const subject = X509_get_subject_name(&provider);
  for (int at = -1; (at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0;) {
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
    if (size < 0) continue;
    const std::string name = folded({reinterpret_cast<const char*>(text), static_cast<size_t>(size)});
    OPENSSL_free(text);
    if (!is_host_name(name)) continue;
    list.add_dns(name);
    return;
  }
}

Result<> add_names_of(X509& provider, NameList& list) {
  int found = 0;
  const GeneralNamesPtr names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&provider, NID_subject_alt_name, &found, nullptr)));
  if (names == nullptr && found != -1) return openssl_fault("the names of the provider's certificate cannot be read");
  if (names == nullptr) add_common_name(provider, list);
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()) && !list.full(); ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &type);
    if (type == GEN_DNS) list.add_dns(folded(bytes_of(*static_cast<const ASN1_STRING*>(value))));
    if (type != GEN_IPADD) continue;
    if (const auto address = address_of(bytes_of(*static_cast<const ASN1_STRING*>(value)))) list.add_address(*address);
  }
  return {};
}

// Whether a client that knows only the provider's certificate would take it for `host`.
bool provider_has(X509& provider, const std::string& host, const std::optional<IpAddress>& address) {
  if (!address)
    return X509_check_host(&provider, host.data(), host.size(), X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, nullptr) == 1;
  const std::string_view octets = octets_of(*address);
  return X509_check_ip(&provider, reinterpret_cast<const unsigned char*>(octets.data()), octets.size(), 0) == 1;
}

// Whatever the limits.
Result<> add_host(X509& provider, const std::string& host, const LeafNames& names, NameList& list) {
  const auto address = IpAddress::parse(host);
  if (!address && !is_host_name(host)) return fail("the name that the client asked for is no host name");
  if (!provider_has(provider, host, address)) return fail("the provider's certificate is not valid for " + host);
  if (names.cover(host)) return {};
  list.make_room_for(address ? octets_of(*address).size() : host.size());
  if (address) {
    list.add_address(*address);
  } else {
    list.add_dns(host);
  }
  return {};
}

std::string common_name_of(const LeafNames& names, std::string_view host) {
  const auto short_enough = [](std::string_view name) { return name.size() <= longest_common_name; };
  if (is_host_name(host) && short_enough(host)) return std::string(host);
  const auto first = std::ranges::find_if(names.dns, short_enough);
  // Not an address: one in dots would be taken for a DNS name by name constraints (RFC 6125 §6.4.4 has no other use).
  return first == names.dns.end() ? std::string(no_common_name) : *first;
}

// What common_name_of() gives for a host that is covered.
bool is_common_name_of(const LeafNames& names) {
  const std::string& name = names.common_name;
  if (name == no_common_name) return true;
  return name.size() <= longest_common_name && is_mirrored_name(name) && names.cover(name);
}

size_t size_of(const LeafNames& names) {
  size_t out = 0;
  for (const std::string& name : names.dns) out += name.size();
  for (const IpAddress& address : names.addresses) out += octets_of(address).size();
  return out;
}

void push_name(GENERAL_NAMES& to, int type, std::string_view bytes, ASN1_STRING* string) {
  GENERAL_NAME* const name = GENERAL_NAME_new();
  const bool good = string != nullptr && name != nullptr &&
                    ASN1_STRING_set(string, bytes.data(), static_cast<int>(bytes.size())) == 1 &&
                    sk_GENERAL_NAME_push(&to, name) > 0;
  if (good) return GENERAL_NAME_set0_value(name, type, string);
  ASN1_STRING_free(string);
  GENERAL_NAME_free(name);
  throw std::bad_alloc();
}

}  // namespace

bool is_host_name(std::string_view text) {
  if (text.size() > longest_name) return false;
  while (true) {
    const size_t dot = text.find('.');
    const std::string_view label = text.substr(0, dot);
    if (!is_label(label)) return false;
    // An address in dots is none, whatever dNSName says.
    if (dot == std::string_view::npos) return std::ranges::any_of(label, [](char c) { return c >= 'a' && c <= 'z'; });
    text.remove_prefix(dot + 1);
  }
}

bool LeafNames::cover(std::string_view host) const {
  if (const auto address = IpAddress::parse(host)) return has(addresses, *address);
  const std::string name = folded(host);
  if (has(dns, name)) return true;
  const size_t dot = name.find('.');
  return dot != std::string::npos && dot > 0 && has(dns, "*" + name.substr(dot));
}

Result<LeafNames> leaf_names(X509& provider, std::string_view host, bool verified) {
  const CleanErrors clean;
  LeafNames out;
  NameList list(out);
  if (auto added = add_names_of(provider, list); !added) return std::unexpected(added.error());
  const std::string asked = verified ? folded(host) : "";
  if (!asked.empty())
    if (auto added = add_host(provider, asked, out, list); !added) return std::unexpected(added.error());
  if (out.dns.empty() && out.addresses.empty()) return fail("the provider's certificate has no host name or address");
  out.common_name = common_name_of(out, asked);
  return out;
}

Result<LeafNames> leaf_names(std::string_view der, std::string_view host, bool verified) {
  if (der.size() > max_provider_certificate_bytes) return fail("the provider's certificate is too large");
  const auto provider = certificate_from_der(der);
  if (!provider) return fail("the provider's certificate: " + provider.error().text);
  return leaf_names(**provider, host, verified);
}

Result<> check_leaf_names(const LeafNames& names, std::string_view host) {
  const size_t count = names.dns.size() + names.addresses.size();
  if (count == 0 || count > max_leaf_names || size_of(names) > max_leaf_name_bytes)
    return fail("a leaf certificate has a name at least, and at most " + std::to_string(max_leaf_names) + " of " +
                std::to_string(max_leaf_name_bytes) + " bytes together");
  if (!std::ranges::all_of(names.dns, is_mirrored_name))
    return fail("a leaf certificate cannot have a DNS name that is no host name");
  if (!is_common_name_of(names)) return fail("the common name of a leaf certificate must be one of its names");
  const bool named = IpAddress::parse(host) || is_host_name(folded(host));
  if (!host.empty() && (!named || !names.cover(host)))
    return fail("the name that the client asked for must be one of the leaf certificate's");
  return {};
}

GeneralNamesPtr general_names(const LeafNames& names) {
  GeneralNamesPtr out(GENERAL_NAMES_new());
  if (out == nullptr) throw std::bad_alloc();
  for (const std::string& name : names.dns) push_name(*out, GEN_DNS, name, ASN1_IA5STRING_new());
  for (const IpAddress& address : names.addresses)
    push_name(*out, GEN_IPADD, octets_of(address), ASN1_OCTET_STRING_new());
  return out;
}

}  // namespace lunar
