// Where Java looks for roots (JSSE Reference Guide, "trustStore").
#include <algorithm>
#include <array>
#include <sstream>

#include "cli/runtimes.h"
#include "cli/trust_environment.h"
#include "cli/trust_keytool.h"

namespace lunar::cli {
namespace {

constexpr std::array<std::string_view, 6> options_with_value{"-cp", "-classpath",    "--class-path",
                                                             "-p",  "--module-path", "--add-modules"};

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> out;
  for (std::string word; words >> word;) out.push_back(word);
  return out;
}

// Those of the virtual machine; what follows the program's name is the program's own.
std::vector<std::string> own_options(const std::vector<std::string>& arguments) {
  std::vector<std::string> out;
  for (size_t i = 1; i < arguments.size() && arguments[i].starts_with('-') && arguments[i] != "-jar"; ++i) {
    out.push_back(arguments[i]);
    if (std::ranges::find(options_with_value, arguments[i]) != options_with_value.end()) ++i;
  }
  return out;
}

// The last one that says it, in the order in which the virtual machine reads them.
std::optional<StorePlace> named_keystore(const Process& process) {
  std::optional<StorePlace> out;
  const auto look = [&](const std::vector<std::string>& options, const char* reason) {
    for (const std::string& option : options) {
      const std::string path =
          option.starts_with(java_option) ? option.substr(std::string_view(java_option).size()) : "";
      if (!path.empty()) out = StorePlace{StoreKind::keystore, process.absolute(path), reason};
    }
  };
  look(words_of(process.variable(java_variable)), java_variable);
  look(words_of(process.variable("JDK_JAVA_OPTIONS")), "JDK_JAVA_OPTIONS");
  look(own_options(process.arguments), "its command line");
  look(words_of(process.variable("_JAVA_OPTIONS")), "_JAVA_OPTIONS");
  return out;
}

}  // namespace

TrustUse java_use(const Process& process) {
  if (auto named = named_keystore(process)) return {.runtime = "Java", .places = {std::move(*named)}};
  // JAVA_HOME/lib/server/libjvm.so; of Java 8 JAVA_HOME/jre/lib/amd64/server/libjvm.so.
  const std::string library = process.mapped_library("libjvm.so");
  const std::string folder = library.substr(0, library.rfind("/lib/")) + "/lib/security";
  const FileTree tree = process.tree();
  const std::string own = folder + "/jssecacerts";  // takes the place of the other one
  const std::string path = tree.place(own) ? own : folder + "/cacerts";
  const auto place = tree.place(path);
  const std::vector<Keystore> installable = keystores(FileTree());
  const bool known = std::ranges::any_of(installable, [&](const Keystore& one) { return one.place == place; });
  return {.runtime = "Java", .places = {{StoreKind::keystore, path}}, .setting = known ? "" : java_variable};
}

}  // namespace lunar::cli
