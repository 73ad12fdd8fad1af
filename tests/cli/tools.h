// Programs of the machine, as tests run them.
#pragma once

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

namespace lunar::cli::testing {

// What a shell command printed, errors too; it must end well.
inline std::string shell(const std::string& command) {
  std::FILE* stream = ::popen(("export LC_ALL=C; { " + command + "; } 2>&1").c_str(), "r");
  REQUIRE(stream != nullptr);
  std::string out;
  std::array<char, 4096> piece;
  while (const size_t count = std::fread(piece.data(), 1, piece.size(), stream)) out.append(piece.data(), count);
  const int status = ::pclose(stream);
  REQUIRE_MESSAGE(status == 0, command << "\n" << out);
  return out;
}

class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* before = std::getenv(name)) before_ = before;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (before_)
      ::setenv(name_, before_->c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::optional<std::string> before_;
};

// A program that runs for as long as this lives, with PATH and what is given as its environment. When the constructor
// returns, it has begun, and printed a line that begins with `ready` unless that is empty. `root`: its root folder.
class Running {
 public:
  Running(std::vector<std::string> words, std::vector<std::string> environment, const std::string& ready,
          const std::string& root = "/") {
    environment.push_back(std::string("PATH=") + std::getenv("PATH"));
    const auto arguments = pointers(words);
    const auto variables = pointers(environment);
    std::array<int, 2> began{};
    std::array<int, 2> input{};
    std::array<int, 2> output{};
    REQUIRE((::pipe2(began.data(), O_CLOEXEC) == 0 && ::pipe2(input.data(), O_CLOEXEC) == 0 &&
             ::pipe2(output.data(), O_CLOEXEC) == 0));
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(input[0], 0);
      ::dup2(output[1], 1);
      if (root != "/" && (::chroot(root.c_str()) != 0 || ::chdir("/") != 0)) ::_exit(127);
      ::execvpe(arguments[0], arguments.data(), variables.data());
      ::_exit(127);
    }
    REQUIRE(pid_ > 0);
    for (const int end : {began[1], input[0], output[1]}) ::close(end);
    input_ = input[1];
    output_ = output[0];
    char byte = 0;
    CHECK(::read(began[0], &byte, 1) == 0);  // closed by exec
    ::close(began[0]);
    std::string line;
    while (!line.starts_with(ready) || (!ready.empty() && !line.ends_with('\n'))) {
      if (line.ends_with('\n')) line.clear();
      REQUIRE_MESSAGE(::read(output_, &byte, 1) == 1, words[0] << " ended before it was ready");
      line += byte;
    }
  }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    ::close(input_);
    ::close(output_);
  }
  [[nodiscard]] std::string pid() const { return std::to_string(pid_); }

 private:
  static std::vector<char*> pointers(std::vector<std::string>& texts) {
    std::vector<char*> out;
    for (std::string& text : texts) out.push_back(text.data());
    out.push_back(nullptr);
    return out;
  }
  pid_t pid_ = -1;
  int input_ = -1;
  int output_ = -1;
};

}  // namespace lunar::cli::testing
