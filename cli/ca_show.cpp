// ca show, ca bundle
#include <filesystem>
#include <memory>
#include <ostream>

#include "agent/config/durable_file.h"
#include "cli/ca.h"
#include "cli/text_file.h"

namespace lunar::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Bundle {
  std::string folder;
  std::string output;
  std::string root = "/";
  bool combined = false;
};

int show(const Session& session, const std::string& folder_given) {
  const auto ca = open_ca(session, folder_given);
  return ca ? present(session, description_of(*ca), print_description) : ca.error();
}

// A file that programs may be reading is replaced whole; what is no file, such as /dev/stdout, is written to.
Result<> write_bundle(const std::string& path, const std::string& text) {
  std::error_code failed;
  const fs::path target = fs::weakly_canonical(fs::absolute(path), failed);
  if (failed) return fail("cannot write " + path, failed.value());
  if (fs::exists(target, failed) && !fs::is_regular_file(target, failed)) return write_text(path, text);
  return replace_durably(target, target.string() + ".new", text, 0644);
}

int bundle(const Session& session, const Bundle& asked) {
  const auto ca = open_ca(session, asked.folder);
  if (!ca) return ca.error();
  const auto text =
      asked.combined ? combined_bundle(tree_at(asked.root), ca->roots) : Result<std::string>(bundle_of(ca->roots));
  if (!text) return complain_of_files(session, text.error());
  if (!asked.output.empty()) {
    const Result<> written = write_bundle(asked.output, *text);
    return written ? code(wire::Exit::ok) : complain_of_files(session, written.error());
  }
  if (session.json)
    session.terminal.out << json{{"bundle", *text}}.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
  else
    session.terminal.out << *text;
  return code(wire::Exit::ok);
}

}  // namespace

void declare_ca_reading(CLI::App& app, Session& session, Action& chosen) {
  auto shown = std::make_shared<std::string>();
  CLI::App* showing = add_word(app, {"show", "show the local authority"}, *shown);
  showing->callback([shown, &session, &chosen] { chosen = [shown, &session] { return show(session, *shown); }; });

  auto asked = std::make_shared<Bundle>();
  CLI::App* printing = add_word(app, {"bundle", "print the roots that clients must trust, as PEM"}, asked->folder);
  printing->add_flag("--combined", asked->combined, "put the roots of the system in front of them");
  printing->add_option("-o,--output", asked->output, "write to this file")->type_name("FILE");
  add_root(*printing, asked->root);
  printing->callback([asked, &session, &chosen] { chosen = [asked, &session] { return bundle(session, *asked); }; });
}

}  // namespace lunar::cli
