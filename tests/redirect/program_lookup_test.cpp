#include "agent/redirect/program_lookup.h"

#include <doctest/doctest.h>
#include <sys/wait.h>

#include <filesystem>
#include <thread>

using namespace lunar;

namespace {

std::string own_program() { return std::filesystem::read_symlink("/proc/self/exe").string(); }

}  // namespace

TEST_CASE("program lookup: the answer is the path of the process's program") {
  auto lookup = open_program_lookup();
  REQUIRE(lookup);
  ProgramQuestions questions(lookup->asking.get());
  CHECK(questions.program_of(1U << 30U).empty());  // nobody answers
  std::thread supervisor([&] {
    while (answer_program_questions(lookup->answering.get())) std::this_thread::yield();
  });
  std::string found;
  for (int i = 0; found.empty() && i < 100; ++i) found = questions.program_of(static_cast<uint32_t>(getpid()));
  CHECK(found == own_program());
  CHECK(questions.program_of(1U << 30U).empty());  // no such process
  lookup->asking.reset();
  supervisor.join();
}

TEST_CASE("program lookup: a process that was announced is known after it has gone") {
  auto lookup = open_program_lookup();
  REQUIRE(lookup);
  ProgramQuestions questions(lookup->asking.get());
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  ProgramQuestions::announce(lookup->asking.get(), static_cast<uint32_t>(child));
  CHECK(answer_program_questions(lookup->answering.get()));
  REQUIRE(kill(child, SIGKILL) == 0);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  CHECK(questions.program_of(static_cast<uint32_t>(child)) == own_program());
}
