// What is read from files that may be anything: trees with links, certificates, ELF.
#include <doctest/doctest.h>
#include <elf.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "cli/runtimes_process.h"
#include "cli/trust_roots.h"
#include "tests/cli/certificates.h"

using namespace lunar::cli;
using namespace lunar::cli::testing;
namespace fs = std::filesystem;

namespace {

// An ELF file with sections of these names, and nothing in them.
std::string elf_with(const std::vector<std::string>& sections) {
  std::string names(1, '\0');
  std::vector<Elf64_Shdr> headers(1);
  for (const std::string& name : sections) {
    headers.push_back({.sh_name = static_cast<Elf64_Word>(names.size())});
    names += name + '\0';
  }
  Elf64_Ehdr header{};
  std::memcpy(header.e_ident, ELFMAG, SELFMAG);
  header.e_ident[EI_CLASS] = ELFCLASS64;
  header.e_shoff = sizeof header;
  header.e_shentsize = sizeof(Elf64_Shdr);
  header.e_shnum = static_cast<Elf64_Half>(headers.size());
  headers[0].sh_offset = sizeof header + headers.size() * sizeof(Elf64_Shdr);
  headers[0].sh_size = names.size();
  std::string out(reinterpret_cast<const char*>(&header), sizeof header);
  out.append(reinterpret_cast<const char*>(headers.data()), headers.size() * sizeof(Elf64_Shdr));
  return out + names;
}

OpenFile open_file(const Folder& folder, const char* name) {
  OpenFile out(std::fopen((folder.path / name).c_str(), "rbe"));
  REQUIRE(out);
  return out;
}

}  // namespace

TEST_CASE("file tree: links stay inside, whatever they say") {
  Folder folder;
  folder.file("tree/a/file", "inside").file("file", "outside");
  fs::create_symlink("/a/file", folder.path / "tree/absolute");
  fs::create_symlink("../../../../a/file", folder.path / "tree/a/relative");
  fs::create_symlink(folder.path / "file", folder.path / "tree/out");
  fs::create_directory_symlink("/a", folder.path / "tree/b");
  const FileTree tree(folder.path / "tree");
  CHECK(tree.read("/absolute").value() == "inside");
  CHECK(tree.read("/a/relative").value() == "inside");
  CHECK(tree.read("/b/file").value() == "inside");
  CHECK(tree.place("/b/file") == (folder.path / "tree/a/file").string());
  CHECK(tree.read("/../file").error().os_error == ENOENT);
  CHECK(tree.read("/out").error().os_error == ENOENT);
  CHECK_FALSE(tree.place("/out"));
  CHECK(tree.names("/b") == std::vector<std::string>{"file", "relative"});
}

TEST_CASE("file tree: no pipe, no folder and no file above the limit is read") {
  Folder folder;
  folder.file("large", std::string(1001, 'x'));
  REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
  const FileTree tree(folder.path);
  CHECK(tree.read("/pipe").error().os_error == EINVAL);
  CHECK(tree.read("/").error().os_error == EINVAL);
  CHECK(tree.read("/large", 1000).error().os_error == EFBIG);
  CHECK(tree.read("/large", 1001).value().size() == 1001);
  CHECK(tree.names("/large").empty());
  CHECK(tree.is_folder("/"));
  CHECK_FALSE(tree.is_folder("/large"));
}

TEST_CASE("fingerprints: of every certificate in PEM, of one in DER, and of nothing else") {
  Folder folder;
  for (const char* name : {"a", "b"}) make_root(folder, name);
  const std::string base = folder.path;
  shell("openssl x509 -in " + base + "/a.crt -outform DER -out " + base + "/a.der");
  const std::string a = fingerprint(base + "/a.crt");
  const std::string b = fingerprint(base + "/b.crt");
  const auto in = [&folder](const char* name) { return fingerprints_in(folder.read(name)); };
  CHECK(in("a.crt") == std::set{a});
  CHECK(in("a.der") == std::set{a});
  CHECK(in("a.key").empty());
  CHECK(fingerprints_in("").empty());
  CHECK(fingerprints_in("-----BEGIN CERTIFICATE-----").empty());
  std::string damaged = folder.read("a.crt");
  damaged[damaged.size() / 2] = '!';
  const std::string all = "text\n" + folder.read("a.key") + damaged + folder.read("b.crt") + "tail";
  CHECK(fingerprints_in(all) == std::set{b});
  CHECK(store_name(a) == installed_name(base + "/a.crt"));
}

TEST_CASE("ELF: a section is found by its whole name, and every cut of the file is no ELF file or has none") {
  Folder folder;
  const std::string whole = elf_with({".text", ".go.buildinfo"});
  folder.file("whole", whole);
  CHECK(has_elf_section(open_file(folder, "whole").get(), ".go.buildinfo"));
  CHECK_FALSE(has_elf_section(open_file(folder, "whole").get(), ".go.build"));
  CHECK_FALSE(has_elf_section(open_file(folder, "whole").get(), "buildinfo"));
  for (size_t size = 0; size + 1 < whole.size(); ++size) {
    folder.file("cut", whole.substr(0, size));
    REQUIRE_FALSE(has_elf_section(open_file(folder, "cut").get(), ".go.buildinfo"));
  }
  std::string wild = whole;
  for (const size_t at : {offsetof(Elf64_Ehdr, e_shoff), offsetof(Elf64_Ehdr, e_shstrndx)}) {
    wild = whole;
    wild[at + 1] = '\x7f';
    folder.file("wild", wild);
    CHECK_FALSE(has_elf_section(open_file(folder, "wild").get(), ".go.buildinfo"));
  }
}

TEST_CASE("quoted text: is found wherever it lies, up to a limit") {
  Folder folder;
  for (const size_t before : {0, 1, 65'530, 65'536, 131'000, 131'072}) {
    CAPTURE(before);
    folder.file("file", std::string(before, 'x') + "DIR: \"/usr/lib/ssl\" and more");
    CHECK(quoted_after(open_file(folder, "file").get(), "DIR: \"") == "/usr/lib/ssl");
  }
  folder.file("file", "DIR: \"" + std::string(256, 'x') + "\" DIR: \"/second\"");
  CHECK(quoted_after(open_file(folder, "file").get(), "DIR: \"") == "/second");
  folder.file("file", "DIR: \"/never ends");
  CHECK(quoted_after(open_file(folder, "file").get(), "DIR: \"").empty());
}
