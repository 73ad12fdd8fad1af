#include "agent/net/name_constraints.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <new>
#include <optional>
#include <string_view>
#include <utility>

namespace lunar {
namespace {

using Subtrees = STACK_OF(GENERAL_SUBTREE);

constexpr size_t v4_bytes = 4;
constexpr size_t v6_bytes = 16;
constexpr uint8_t v4_in_v6_bits = 96;

bool is_v4(const Prefix& range) { return range.address.is_v4() && range.length >= v4_in_v6_bits; }

// Address and mask, each of `size` bytes.
std::string octets_of(const Prefix& range, size_t size) {
  std::string address;
  std::string mask;
  for (size_t i = v6_bytes - size; i < v6_bytes; ++i) {
    const int ones = std::clamp(static_cast<int>(range.length) - static_cast<int>(8 * i), 0, 8);
    const auto bits = static_cast<uint8_t>(0xff00U >> ones);
    mask += static_cast<char>(bits);
    address += static_cast<char>(range.address.bytes[i] & bits);
  }
  return address + mask;
}

std::optional<Prefix> range_of(std::string_view octets) {
  const size_t size = octets.size() / 2;
  if (octets.size() % 2 != 0 || (size != v4_bytes && size != v6_bytes)) return std::nullopt;
  Prefix out;
  if (size == v4_bytes) out.address = IpAddress::v4(0);
  memcpy(out.address.bytes.data() + v6_bytes - size, octets.data(), size);
  if (size == v4_bytes) out.length = v4_in_v6_bits;
  for (const char byte : octets.substr(size))
    out.length += static_cast<uint8_t>(std::popcount(static_cast<uint8_t>(byte)));
  return out;
}

void add_subtree(Subtrees*& list, int type, std::string_view bytes) {
  if (list == nullptr) list = sk_GENERAL_SUBTREE_new_null();
  GENERAL_SUBTREE* const subtree = GENERAL_SUBTREE_new();
  ASN1_STRING* const base = type == GEN_DNS ? ASN1_IA5STRING_new() : ASN1_OCTET_STRING_new();
  const bool good = list != nullptr && subtree != nullptr && base != nullptr &&
                    ASN1_STRING_set(base, bytes.data(), static_cast<int>(bytes.size())) == 1 &&
                    sk_GENERAL_SUBTREE_push(list, subtree) > 0;
  if (good) return GENERAL_NAME_set0_value(subtree->base, type, base);
  ASN1_STRING_free(base);
  GENERAL_SUBTREE_free(subtree);
  throw std::bad_alloc();
}

// A kind that nothing is permitted of would be free (RFC 5280 §4.2.1.10), so all of it is excluded.
void add_ranges(NAME_CONSTRAINTS& to, const std::vector<Prefix>& ranges, size_t size) {
  bool some = false;
  for (const Prefix& range : ranges) {
    if (is_v4(range) != (size == v4_bytes)) continue;
    add_subtree(to.permittedSubtrees, GEN_IPADD, octets_of(range, size));
    some = true;
  }
  if (!some) add_subtree(to.excludedSubtrees, GEN_IPADD, std::string(2 * size, '\0'));
}

void add_texts(std::vector<std::string>& to, const Subtrees* list, const std::string& before) {
  for (int i = 0; i < sk_GENERAL_SUBTREE_num(list); ++i) {
    int type = 0;
    const void* const value = GENERAL_NAME_get0_value(sk_GENERAL_SUBTREE_value(list, i)->base, &type);
    if (type != GEN_DNS && type != GEN_IPADD) continue;
    const auto& string = *static_cast<const ASN1_STRING*>(value);
    const std::string_view bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(&string)),
                                 static_cast<size_t>(ASN1_STRING_length(&string)));
    if (type == GEN_DNS) {
      to.push_back(before + (bytes.empty() ? "any name" : std::string(bytes)));
    } else if (const auto range = range_of(bytes)) {
      to.push_back(before + range->text());
    }
  }
}

// A certificate with one name and nothing else.
bool permits(NAME_CONSTRAINTS& constraints, const LeafNames& name) {
  const CertificatePtr probe(X509_new());
  if (probe == nullptr || X509_set_version(probe.get(), X509_VERSION_3) != 1 ||
      X509_add1_ext_i2d(probe.get(), NID_subject_alt_name, general_names(name).get(), 0, X509V3_ADD_DEFAULT) != 1)
    throw std::bad_alloc();
  X509_check_purpose(probe.get(), -1, 0);  // reads the extensions
  return NAME_CONSTRAINTS_check(probe.get(), &constraints) == X509_V_OK;
}

std::string first_forbidden(NAME_CONSTRAINTS& constraints, const LeafNames& names) {
  for (const std::string& name : names.dns)
    if (!permits(constraints, {.dns = {name}})) return name;
  for (const IpAddress& address : names.addresses)
    if (!permits(constraints, {.addresses = {address}})) return address.text();
  return "the subject CN=" + names.common_name;
}

}  // namespace

Result<NameConstraintsPtr> name_constraints(const PermittedNames& permitted) {
  NameConstraintsPtr out(NAME_CONSTRAINTS_new());
  if (out == nullptr) throw std::bad_alloc();
  for (const std::string& name : permitted.dns) {
    if (!is_host_name(name))
      return fail("a permitted name must be a domain in lower case that stands for all names below it: example.com");
    add_subtree(out->permittedSubtrees, GEN_DNS, name);
  }
  if (permitted.dns.empty()) add_subtree(out->excludedSubtrees, GEN_DNS, "");
  add_ranges(*out, permitted.addresses, v4_bytes);
  add_ranges(*out, permitted.addresses, v6_bytes);
  return out;
}

Result<NameConstraintsPtr> name_constraints_of(const X509& certificate) {
  const CleanErrors clean;
  int found = 0;
  NameConstraintsPtr out(
      static_cast<NAME_CONSTRAINTS*>(X509_get_ext_d2i(&certificate, NID_name_constraints, &found, nullptr)));
  if (out == nullptr && found != -1) return openssl_fault("the name constraints of the certificate cannot be read");
  return out;
}

std::vector<std::string> texts_of(const NAME_CONSTRAINTS& constraints) {
  std::vector<std::string> out;
  add_texts(out, constraints.permittedSubtrees, "");
  add_texts(out, constraints.excludedSubtrees, "not ");
  return out;
}

Result<> check_permitted(NAME_CONSTRAINTS& constraints, X509& leaf, const LeafNames& names) {
  const CleanErrors clean;
  X509_check_purpose(&leaf, -1, 0);  // reads the extensions
  if (NAME_CONSTRAINTS_check(&leaf, &constraints) == X509_V_OK) return {};
  return fail("the local authority may not certify " + first_forbidden(constraints, names) +
              ", which is outside of its name constraints");
}

}  // namespace lunar
