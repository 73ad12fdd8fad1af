// Roots and leaves made by openssl.
#pragma once

#include <cctype>
#include <string>

#include "tests/cli/folder.h"
#include "tests/cli/outcome.h"
#include "tests/cli/tools.h"

namespace lunar::cli::testing {

// NAME.crt and NAME.key in the folder: a root.
inline void make_root(const Folder& folder, const std::string& name) {
  const std::string base = folder.path / name;
  shell("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=" + name +
        " -addext keyUsage=critical,keyCertSign -keyout " + base + ".key -out " + base + ".crt");
}

// leaf.crt and leaf.key in `folder`, for a.example.com, signed by an authority's folder.
inline void make_leaf(Folder& folder, const std::string& authority) {
  const std::string base = folder.path / "leaf";
  folder.file("leaf.ext", "subjectAltName=DNS:a.example.com\nextendedKeyUsage=serverAuth\n");
  shell("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=a.example.com -keyout " + base +
        ".key -out " + base + ".csr && openssl x509 -req -in " + base + ".csr -CA " + authority + "/cert.pem -CAkey " +
        authority + "/key.pem -days 2 -extfile " + base + ".ext -out " + base + ".crt");
}

inline std::string fingerprint(const std::string& file) {
  const std::string text = shell("openssl x509 -noout -fingerprint -sha256 -in " + file);
  return text.substr(text.find('=') + 1, 95);
}

// Its name in every store.
inline std::string installed_name(const std::string& file) {
  std::string out = "lunar-";
  for (const char digit : fingerprint(file)) {
    if (digit != ':') out += static_cast<char>(std::tolower(static_cast<unsigned char>(digit)));
    if (out.size() == 22) break;
  }
  return out;
}

}  // namespace lunar::cli::testing
