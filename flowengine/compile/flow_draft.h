// A flow file as it was read, before its connections are resolved against the other flows.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "flowengine/compile/filter_compiler.h"
#include "flowengine/plan/plan.h"

namespace lunar {

struct ConnectionEnd {
  enum class Kind : uint8_t { stream, flow, processor };
  enum class At : uint8_t { start, end };

  Kind kind = Kind::stream;
  std::string name;
  At at = At::start;
  std::optional<std::string> condition;
  Position position;
  Position condition_position;

  [[nodiscard]] std::string text() const;  // as a person would say it: stream start, flow F end, processor P
};

struct Connection {
  ConnectionEnd from, to;
  Position position;
};

struct DeclaredProcessor {
  uint32_t instance = 0;  // in the plan; meaningful if `usable`
  const ProcessorType* type = nullptr;
  bool usable = false;
  bool used = false;
  Position position;
};

struct FlowDraft {
  std::string file;
  std::string name;
  Position name_position;
  bool good = true;  // no error so far
  CompiledFilter filter;
  std::map<std::string, DeclaredProcessor, std::less<>> processors;
  std::vector<std::string> processor_order;
  std::vector<Connection> request, response;
  bool request_read = false, response_read = false;  // every connection could be read
  Position request_position, response_position;
  bool blocks_on_error = false;
  bool shadow = false;
  bool needs_request_body = false;  // of a quota's counter
};

// `{from: End, to: End}` entries; findings are prefixed with the direction.
[[nodiscard]] std::vector<Connection> read_connections(const Value* list, Position otherwise, bool response,
                                                       Reader& reader);

}  // namespace lunar
