// MockProcessor, for tests of flows, and the two types that are planned (flows.md §7, §7.14).
#include "flowengine/processors/types.h"

namespace lunar {
namespace {

constexpr std::string_view outputs[] = {"output_1", "output_2"};

class Mock final : public Processor {
 public:
  explicit Mock(int16_t output) : output_(output) {}
  [[nodiscard]] Outcome run(Context& /*context*/) const override { return outcome::Done{output_}; }

 private:
  int16_t output_;
};

constexpr Parameter mock_parameters[] = {
    {.name = "arg1", .kind = ParameterKind::integer, .fallback = "1", .help = "2: the second output is taken"},
    {.name = "arg2", .fallback = "mock", .help = "any text"},
};

std::unique_ptr<const Processor> create_mock(Arguments& arguments, Surroundings& /*surroundings*/) {
  (void)arguments.text("arg2");
  return std::make_unique<Mock>(static_cast<int16_t>(arguments.integer("arg1") == 2 ? 1 : 0));
}

constexpr Parameter queue_parameters[] = {
    {.name = "quota_id", .required = true, .help = "the quota that frees places"},
    {.name = "priority_group_by_header", .help = "the request header that names the priority group"},
    {.name = "priority_groups", .kind = ParameterKind::map, .help = "priority group -> number"},
};
constexpr Parameter retry_parameters[] = {
    {.name = "attempts", .kind = ParameterKind::integer, .required = true, .low = 1, .help = "re-sends"},
};

}  // namespace

const ProcessorType mock_type{
    .name = "MockProcessor",
    .help = "takes one of two outputs, for tests",
    .directions = {.request = true, .response = true},
    .outputs = outputs,
    .parameters = mock_parameters,
    .create = create_mock,
};
const ProcessorType async_queue_type{
    .name = "AsyncQueue",
    .help = "planned",
    .directions = {.request = true},
    .parameters = queue_parameters,
    .unavailable = "AsyncQueue is planned and not available in this version",
};
const ProcessorType async_retry_type{
    .name = "AsyncRetry",
    .help = "planned",
    .directions = {.response = true},
    .parameters = retry_parameters,
    .unavailable = "AsyncRetry is planned and not available in this version",
};

}  // namespace lunar
