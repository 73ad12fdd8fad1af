#include "flowengine/spec/document.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <unordered_map>
#include <utility>

#include "flowengine/spec/source_text.h"

namespace lunar {
namespace {

// Ends the parser from inside one of its callbacks; the finding has been added before.
struct Refused {};

size_t line_of(const YAML::Mark& mark) { return static_cast<size_t>(std::max(mark.line, 0)); }
size_t column_of(const YAML::Mark& mark) { return static_cast<size_t>(std::max(mark.column, 0)); }

// Whether a scalar begins with a quote that the rest of the file does not close.
bool lacks_closing_quote(std::string_view rest) {
  if (!rest.starts_with('"') && !rest.starts_with('\'')) return false;
  char quote = rest.front();
  for (size_t i = 1; i < rest.size(); ++i) {
    bool escapes = quote == '"' ? rest[i] == '\\' : rest.substr(i).starts_with("''");
    if (escapes) {
      ++i;
    } else if (rest[i] == quote) {
      return false;
    }
  }
  return true;
}

class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(std::string_view file, const SourceText& source, Diagnostics& out)
      : file_(file), source_(source), out_(out) {}

  [[nodiscard]] Value take_root() { return std::move(root_); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1)
      refuse(position(mark), "second-document", "a second document begins here; one file holds one document");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    Value value;
    value.at = position(mark);
    bool behind_key = !open_.empty() && open_.back().key.has_value();
    if (behind_key && open_.back().key->at.line != value.at.line) value.at = open_.back().key->at;
    deliver(std::move(value), anchor);
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    auto found = anchors_.find(anchor);
    if (found == anchors_.end()) refuse(position(mark), "bad-yaml", "an alias stands inside of what it refers to");
    count(mark, found->second.nodes);
    Value copy = found->second.value;
    copy.at = position(mark);
    deliver(std::move(copy), 0);
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    check_indentation(mark);
    count(mark, 1);
    bool plain = tag == "?";
    Value value;
    value.at = position(mark);
    value.kind = plain && is_plain_null(text) ? Value::Kind::null : Value::Kind::scalar;
    value.type = plain ? plain_scalar_type(text) : Value::ScalarType::string;
    value.text = text;
    plain_scalar_ = plain;
    last_scalar_ = mark;
    deliver(std::move(value), anchor);
  }

  // The parser takes the end of the file for the missing quote, so that only the last scalar can lack it.
  void check_last_quote() {
    size_t offset = source_.offset(line_of(last_scalar_), column_of(last_scalar_));
    if (lacks_closing_quote(source_.text().substr(offset)))
      refuse(position(last_scalar_), "bad-yaml", "this quote is never closed");
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    begin(mark, Value::Kind::list, anchor, style);
  }
  void OnSequenceEnd() override { end(); }

  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    begin(mark, Value::Kind::map, anchor, style);
  }
  void OnMapEnd() override {
    apply_merges(open_.back());
    end();
  }

 private:
  struct Key {
    std::string text;
    Position at;
    bool merge;  // an unquoted <<
  };
  struct Open {
    Value value;
    YAML::anchor_t anchor;
    bool flow_style;
    size_t nodes_before;
    std::optional<Key> key;  // of a map: read, and its value not yet
    std::vector<Value> merges;
    std::unordered_map<std::string, Position> keys;
  };
  struct Anchored {
    Value value;
    size_t nodes;
  };

  [[nodiscard]] Position position(const YAML::Mark& mark) const {
    return source_.position(line_of(mark), column_of(mark));
  }

  [[noreturn]] void refuse(Position at, std::string_view id, std::string text) {
    out_.add({file_, at, Severity::error, std::string(id), std::move(text)});
    throw Refused{};
  }

  void count(const YAML::Mark& mark, size_t nodes) {
    nodes_ += nodes;
    if (nodes_ > max_document_nodes)
      refuse(position(mark), "file-too-large",
             "more than " + std::to_string(max_document_nodes) + " nodes, counted after alias expansion");
  }

  // Where a node of block style begins behind a tab, readers disagree about its depth.
  void check_indentation(const YAML::Mark& mark) {
    if (!open_.empty() && open_.back().flow_style) return;
    std::string_view line = source_.line(line_of(mark));
    size_t tab = line.substr(0, std::min(line.find_first_not_of(" \t"), line.size())).find('\t');
    if (tab != std::string_view::npos)
      refuse(source_.position(line_of(mark), tab), "bad-yaml", "a tab in the indentation; write spaces");
  }

  void begin(const YAML::Mark& mark, Value::Kind kind, YAML::anchor_t anchor, YAML::EmitterStyle::value style) {
    check_indentation(mark);
    size_t before = nodes_;
    count(mark, 1);
    Open open{{}, anchor, style == YAML::EmitterStyle::Flow, before, std::nullopt, {}, {}};
    open.value.kind = kind;
    open.value.at = position(mark);
    open_.push_back(std::move(open));
  }

  void end() {
    Open closed = std::move(open_.back());
    open_.pop_back();
    plain_scalar_ = false;
    if (closed.anchor != 0) anchors_[closed.anchor] = {closed.value, nodes_ - closed.nodes_before};
    deliver(std::move(closed.value), 0);
  }

  void deliver(Value value, YAML::anchor_t anchor) {
    if (anchor != 0) anchors_[anchor] = {value, 1};
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (open_.back().value.kind == Value::Kind::list) {
      open_.back().value.items.push_back(std::move(value));
    } else {
      deliver_to_map(open_.back(), std::move(value));
    }
  }

  void deliver_to_map(Open& map, Value value) {
    if (!map.key) {
      map.key = read_key(map, value);
      return;
    }
    if (map.key->merge) {
      map.merges.push_back(std::move(value));
    } else {
      map.value.entries.push_back({map.key->text, map.key->at, std::move(value)});
    }
    map.key.reset();
  }

  Key read_key(Open& map, const Value& value) {
    if (value.kind != Value::Kind::scalar) refuse(value.at, "bad-yaml", "a mapping key must be a text");
    auto [first, added] = map.keys.emplace(value.text, value.at);
    if (!added)
      refuse(value.at, "duplicate-key",
             "`" + value.text + "` is here twice, first in line " + std::to_string(first->second.line) + ", column " +
                 std::to_string(first->second.column));
    return {value.text, value.at, plain_scalar_ && value.text == "<<"};
  }

  // What stands in the map itself wins over what is merged, and an earlier merge over a later one.
  void apply_merges(Open& map) {
    for (Value& merged : map.merges) {
      if (merged.kind == Value::Kind::map) merge(map, merged);
      for (const Value& item : merged.items) merge(map, item);
      if (merged.kind != Value::Kind::map && merged.kind != Value::Kind::list)
        refuse(merged.at, "bad-yaml", "`<<` merges a mapping or a list of mappings");
    }
  }

  void merge(Open& into, const Value& from) {
    if (from.kind != Value::Kind::map) refuse(from.at, "bad-yaml", "`<<` merges a mapping or a list of mappings");
    for (const Entry& entry : from.entries)
      if (into.keys.emplace(entry.key, entry.key_at).second) into.value.entries.push_back(entry);
  }

  std::string file_;
  const SourceText& source_;
  Diagnostics& out_;
  Value root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, Anchored> anchors_;
  size_t nodes_ = 0;
  int documents_ = 0;
  bool plain_scalar_ = false;  // the value delivered last
  YAML::Mark last_scalar_;
};

bool is_forbidden_control(char c) {
  auto byte = static_cast<unsigned char>(c);
  return (byte < 0x20 && c != '\t' && c != '\n' && c != '\r') || byte == 0x7f;
}

// What must be refused before the parser sees it. Empty text: nothing.
Diagnostic check_bytes(std::string_view text, const SourceText& source) {
  Diagnostic finding{"", {}, Severity::error, "bad-yaml", ""};
  if (text.size() > max_document_bytes) {
    finding.id = "file-too-large";
    finding.text = std::to_string(text.size()) + " bytes; a file may have 1 MiB";
    return finding;
  }
  size_t invalid = find_invalid_utf8(text);
  auto control = static_cast<size_t>(std::ranges::find_if(text, is_forbidden_control) - text.begin());
  if (invalid == std::string_view::npos && control == text.size()) return finding;
  finding.at = source.position_of(std::min(invalid, control));
  finding.text = invalid < control ? "not UTF-8" : "a control character";
  return finding;
}

// The parser's words, and the way out for the two mistakes that are made most often.
std::string explain(const YAML::Exception& error, const SourceText& source) {
  std::string_view line = source.line(line_of(error.mark));
  std::string_view indentation = line.substr(0, std::min(line.find_first_not_of(" \t"), line.size()));
  if (indentation.find('\t') != std::string_view::npos) return "a tab in the indentation; write spaces";
  size_t column = std::min(column_of(error.mark), line.size());
  bool at_asterisk = line.substr(column).starts_with('*') || line.substr(0, column).ends_with('*');
  bool about_alias = error.msg.find("alias") != std::string::npos || error.msg.find("anchor") != std::string::npos;
  if (at_asterisk || about_alias) return error.msg + "; a text that begins with * is written in quotes: \"*\"";
  return error.msg;
}

}  // namespace

std::optional<Value> read_document(std::string_view file, std::string_view text, Diagnostics& out) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  SourceText source(text);
  if (Diagnostic finding = check_bytes(text, source); !finding.text.empty()) {
    finding.file = file;
    out.add(std::move(finding));
    return std::nullopt;
  }
  TreeBuilder builder(file, source, out);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
    builder.check_last_quote();
    return builder.take_root();
  } catch (const Refused&) {
    return std::nullopt;
  } catch (const YAML::Exception& error) {
    Position at = source.position(line_of(error.mark), column_of(error.mark));
    out.add({std::string(file), at, Severity::error, "bad-yaml", explain(error, source)});
    return std::nullopt;
  }
}

}  // namespace lunar
