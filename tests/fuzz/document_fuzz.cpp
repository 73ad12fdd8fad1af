#include "flowengine/spec/document.h"

#include "tests/fuzz/invariant.h"

using namespace lunar;
using namespace lunar::fuzz;

namespace {

size_t count_checked(const Value& value, size_t depth) {
  require(depth < 2000, "a tree is not deeper than a stack");
  require(value.at.line >= 1 && value.at.column >= 1, "everything stands somewhere");
  size_t nodes = 1;
  for (const Value& item : value.items) nodes += count_checked(item, depth + 1);
  for (const Entry& entry : value.entries) {
    require(value.find(entry.key) == &entry, "a key is there once");
    nodes += count_checked(entry.value, depth + 1);
  }
  return nodes;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size > 4096) return 0;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  Diagnostics findings;
  auto document = read_document("f.yaml", text, findings);
  require(document.has_value() == findings.list().empty(), "a document, or a finding");
  if (!document) {
    require(findings.list().size() == 1 && findings.has_errors(), "one error");
    require(findings.list().front().print().find('\n') == std::string::npos, "a finding is one line");
    return 0;
  }
  if (document->kind != Value::Kind::null)
    require(count_checked(*document, 0) <= 2 * max_document_nodes, "limited nodes");
  return 0;
}
