// har export, har show: what HARCollector wrote (gateway.md §12)
#include "flowengine/har/har_document.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "cli/har_files.h"
#include "cli/text_file.h"
#include "cli/verbs.h"
#include "flowengine/compile/gateway_spec.h"

namespace lunar::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Export {
  std::vector<std::string> files;
  std::string out;
};

int complain_of_file(const Session& session, const Error& error) {
  const bool refused = error.os_error == EACCES || error.os_error == EPERM;
  return complain(session, error.text, refused ? wire::Exit::permission : wire::Exit::refused);
}

// Those of exporters.file in the configuration directory, with what was rotated away; faults of the file are told by
// `flows validate`.
std::vector<std::string> own_files(const Session& session) {
  Diagnostics told_elsewhere;
  const Result<std::string> text = read_text(session.config_dir + "/" + std::string(gateway_config_name));
  const FileExporter exporter = text ? read_gateway_spec(*text, told_elsewhere).file_exporter : FileExporter{};
  const fs::path folder = fs::path(session.config_dir) / exporter.dir;  // an absolute one replaces the root
  std::vector<std::string> out;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder, ignored)) {
    const std::string path = entry.path().string();
    if (har_place(path).base == (folder / exporter.name).string()) out.push_back(path);
  }
  std::ranges::sort(out);
  return out;
}

int run_export(const Session& session, const Export& asked) {
  const std::vector<std::string> files = oldest_first(asked.files.empty() ? own_files(session) : asked.files);
  HarDocument document({.name = "lunarctl", .version = LUNAR_VERSION});
  for (const std::string& file : files) {
    const Result<std::string> text = read_text(file);
    if (!text) return complain_of_file(session, text.error());
    document.add_lines(*text);
  }
  if (document.skipped() > 0)
    complain(session, plural(document.skipped(), "line") + " skipped: no HAR entries", wire::Exit::ok);
  if (document.entries() == 0) return complain(session, "no HAR entry was found", wire::Exit::refused);
  if (asked.out.empty()) {
    session.terminal.out << document.text();
    return code(wire::Exit::ok);
  }
  const Result<> written = write_text(asked.out, document.text());
  return written ? code(wire::Exit::ok) : complain_of_file(session, written.error());
}

std::string text_of(const json& object, const char* name) {
  if (!object.is_object() || !object.contains(name)) return "";
  return printable(object[name].is_string() ? object[name].get<std::string>() : object[name].dump());
}

void print_headers(std::ostream& out, const json& message) {
  for (const json& header : message.value("headers", json::array()))
    out << "  " << text_of(header, "name") << ": " << text_of(header, "value") << '\n';
}

void print_body(std::ostream& out, const json& body) {
  const std::string text = text_of(body, "text");
  if (!text.empty()) out << "  " << (text_of(body, "encoding") == "base64" ? "(base64) " : "") << text << '\n';
}

void print_entry(const Session& session, const json& entry) {
  const Palette palette = session.palette();
  std::ostream& out = session.terminal.out;
  const json& request = entry["request"];
  const json& response = entry["response"];
  out << palette.faint(text_of(entry, "startedDateTime")) << "  " << text_of(entry, "time") << " ms";
  if (entry.contains("_lunar")) out << "  flow " << text_of(entry["_lunar"], "flow");
  out << '\n' << palette.strong(text_of(request, "method") + " " + text_of(request, "url")) << '\n';
  print_headers(out, request);
  if (request.contains("postData")) print_body(out, request["postData"]);
  out << palette.strong(text_of(response, "status") + " " + text_of(response, "statusText")) << '\n';
  print_headers(out, response);
  if (response.contains("content")) print_body(out, response["content"]);
}

int run_show(const Session& session, size_t number) {
  std::vector<std::string> files = oldest_first(own_files(session));
  std::ranges::reverse(files);
  size_t left = number;
  for (const std::string& file : files) {
    const Result<std::string> text = read_text(file);
    if (!text) return complain_of_file(session, text.error());
    const auto line = line_from_end(*text, left);
    if (line) return present(session, json::parse(*line), print_entry);
  }
  return complain(session, number == left ? "no HAR entry was found" : "there are fewer entries", wire::Exit::refused);
}

}  // namespace

void declare_har(CLI::App& app, Session& session, Action& chosen) {
  app.require_subcommand(1);
  auto asked = std::make_shared<Export>();
  CLI::App* exporting = app.add_subcommand("export", "make one HAR 1.2 document of the lines that lunard wrote");
  exporting->fallthrough();
  exporting
      ->add_option("files", asked->files,
                   "files of lines, the oldest first whatever their order here; absent: those of exporters.file")
      ->type_name("FILE");
  exporting->add_option("-o,--output", asked->out, "write to this file")->type_name("OUT");
  exporting->callback(
      [asked, &session, &chosen] { chosen = [asked, &session] { return run_export(session, *asked); }; });

  auto number = std::make_shared<size_t>(1);
  CLI::App* showing = app.add_subcommand("show", "show the last entry, or the N-th last one");
  showing->fallthrough();
  showing->add_option("number", *number, "counted from the end")
      ->type_name("N")
      ->check(CLI::Range(1U, 1'000'000U))
      ->capture_default_str();
  showing->callback(
      [number, &session, &chosen] { chosen = [number, &session] { return run_show(session, *number); }; });
}

}  // namespace lunar::cli
