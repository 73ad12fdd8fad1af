// main() of every unit test, and a listener that appends the outcome of each case to the file that packaging/test names
// in LUNAR_CASE_LOG: status, milliseconds, program, case; separated by tabs.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>

namespace {

class CaseLog : public doctest::IReporter {
 public:
  explicit CaseLog(const doctest::ContextOptions& /*options*/) {
    if (const char* path = getenv("LUNAR_CASE_LOG"))
      fd_ = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);  // NOLINT(cppcoreguidelines-pro-type-vararg)
  }
  CaseLog(const CaseLog&) = delete;
  CaseLog& operator=(const CaseLog&) = delete;
  ~CaseLog() override {
    if (fd_ >= 0) close(fd_);
  }

  void test_case_start(const doctest::TestCaseData& test) override { name_ = test.m_name; }
  void test_case_end(const doctest::CurrentTestCaseStats& stats) override {
    write_line(stats.failure_flags == 0 ? "PASS" : "FAIL", stats.seconds);
  }
  void test_case_skipped(const doctest::TestCaseData& test) override {
    name_ = test.m_name;
    if (!listing_) write_line("SKIP", 0);
  }

  void report_query(const doctest::QueryData& /*query*/) override { listing_ = true; }
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats& /*stats*/) override {}
  void test_case_reenter(const doctest::TestCaseData& /*test*/) override {}
  void test_case_exception(const doctest::TestCaseException& /*error*/) override {}
  void subcase_start(const doctest::SubcaseSignature& /*subcase*/) override {}
  void subcase_end() override {}
  void log_assert(const doctest::AssertData& /*assertion*/) override {}
  void log_message(const doctest::MessageData& /*message*/) override {}

 private:
  void write_line(const char* status, double seconds) const {
    if (fd_ < 0) return;
    const std::string line = std::string(status) + '\t' + std::to_string(static_cast<long>(seconds * 1000)) + '\t' +
                             program_invocation_short_name + '\t' + name_ + '\n';
    if (write(fd_, line.data(), line.size()) != static_cast<ssize_t>(line.size())) perror("LUNAR_CASE_LOG");
  }

  int fd_ = -1;
  bool listing_ = false;
  std::string name_;
};

}  // namespace

REGISTER_LISTENER("case log", 1, CaseLog);
