#include "tests/state/metrics_page.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <regex>
#include <set>
#include <sstream>

#include "tests/state/directory.h"

namespace lunar {
namespace {

class PageReader {
 public:
  explicit PageReader(MetricsPage& page) : page_(page) {}

  void read() {
    CHECK((page_.text.empty() || page_.text.ends_with('\n')));
    std::istringstream lines(page_.text);
    for (std::string line; std::getline(lines, line);) {
      INFO(line);
      if (line.starts_with("# HELP ")) {
        family_ = line.substr(7, line.find(' ', 7) - 7);
        CHECK(families_.insert(family_).second);
      } else if (line.starts_with("# TYPE ")) {
        REQUIRE(line.substr(7, family_.size() + 1) == family_ + " ");
        kind_ = line.substr(8 + family_.size());
        CHECK((kind_ == "counter" || kind_ == "gauge" || kind_ == "histogram"));
      } else {
        read_sample(line);
      }
    }
  }

 private:
  void read_sample(const std::string& line) {
    static const std::regex form(
        R"re(([a-zA-Z_:][a-zA-Z0-9_:]*)\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\} (\S+))re");
    std::smatch match;
    REQUIRE(std::regex_match(line, match, form));
    const MetricsPage::Sample sample{match[1], match[2], std::stod(match[3])};
    const bool of_family =
        kind_ == "histogram"
            ? sample.name == family_ + "_bucket" || sample.name == family_ + "_sum" || sample.name == family_ + "_count"
            : sample.name == family_;
    CHECK(of_family);
    CHECK(series_.insert(sample.name + "{" + sample.labels).second);
    CHECK(sample.labels.starts_with("gateway_id=\"gateway-x\""));
    page_.samples.push_back(sample);
  }

  MetricsPage& page_;
  std::set<std::string> families_, series_;
  std::string family_, kind_;
};

}  // namespace

double MetricsPage::value(const std::string& name, const std::vector<std::string>& parts) const {
  double sum = 0;
  bool found = false;
  for (const Sample& sample : samples) {
    bool wanted = sample.name == name;
    for (const std::string& part : parts) wanted = wanted && sample.labels.find(part) != std::string::npos;
    if (!wanted) continue;
    sum += sample.value;
    found = true;
  }
  std::string wanted = name;
  for (const std::string& part : parts) wanted += " " + part;
  INFO(wanted);
  INFO(text.substr(0, 20'000));
  REQUIRE(found);
  return sum;
}

size_t MetricsPage::count(const std::string& name) const {
  size_t out = 0;
  for (const Sample& sample : samples) out += sample.name == name ? 1 : 0;
  return out;
}

MetricsPage metrics_page(const std::function<void(MetricText&)>& write) {
  MetricsPage page;
  MetricText text(page.text, "gateway_id=\"gateway-x\"");
  write(text);
  PageReader(page).read();
  return page;
}

std::string promtool_findings(const std::string& text) {
  const Directory directory;
  std::ofstream(directory.file("page")) << text;
  INFO("promtool is in the package prometheus");
  REQUIRE(std::system("command -v promtool >/dev/null") == 0);
  const std::string command = "promtool check metrics < " + directory.file("page") + " 2>&1";
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(command.c_str(), "r"), ::pclose);
  REQUIRE(pipe != nullptr);
  std::string out;
  std::array<char, 4096> line;
  while (::fgets(line.data(), line.size(), pipe.get()) != nullptr)
    if (std::string(line.data()).find("use base unit \"seconds\" instead of \"milliseconds\"") == std::string::npos)
      out += line.data();
  return out;
}

}  // namespace lunar
