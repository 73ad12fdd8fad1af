#include "agent/gateway/flow_passage.h"

#include <algorithm>

#include "agent/gateway/flow_attempt.h"
#include "agent/gateway/flow_message.h"
#include "agent/gateway/policy.h"
#include "agent/gateway/recorder.h"
#include "agent/gateway/request_intake.h"
#include "agent/gateway/routing.h"

namespace lunar::gateway {
namespace {

struct Place {
  RequestFacts facts;
  std::string host, authority, target;  // what `facts` refers to
};

// Where the request goes, as flows see it; nothing where it will be refused.
std::optional<Place> place_of(const Session& session, const http::RequestHead& head) {
  Place out;
  if (session.captured()) {
    const Endpoint& destination = session.origin->destination;
    out.facts.port = destination.port;
    out.facts.transparent = true;
    if (session.tls != nullptr) out.facts.scheme = Scheme::https;
    out.host = head.host.empty() ? destination.address.text() : lower_case(host_of(head.host));
  } else {
    Route route = find_route(head, {.query_mode = session.worker.config().query_params_mode,
                                    .connect_only = session.role == ListenerRole::connect});
    if (route.refused || route.tunnel) return std::nullopt;
    out.facts.port = route.port;
    out.facts.scheme = route.tls ? Scheme::https : Scheme::http;
    out.host = lower_case(route.host);
    out.authority = std::move(route.authority);
    out.target = std::move(route.target);
  }
  return out;
}

std::string_view value_of(const http::RequestHead& head, std::string_view name) {
  const http::Field* field = head.has_lunar ? head.fields.find(name) : nullptr;
  return field == nullptr ? std::string_view{} : field->value;
}

// Transparent mode: the capture lists leave hosts without flows, and a request may say otherwise in both ways.
bool left_alone(const Session& session, const http::RequestHead& head, std::string_view host) {
  if (!session.captured()) return false;
  std::string_view allow = value_of(head, "x-lunar-allow");
  if (equal_ignoring_case(allow, "false")) return true;
  if (equal_ignoring_case(allow, "true")) return false;
  return !session.worker.shared().capture.flows_apply(host, session.origin->destination.address);
}

// Flows see neither what Retry alone may say nor a count that a client made up.
void drop_internal_fields(lunar::Request& request) {
  std::erase_if(request.fields, [](const HeaderField& field) {
    return equal_ignoring_case(field.name, "x-lunar-retry-attempt") ||
           equal_ignoring_case(field.name, "x-lunar-estimated-tokens");
  });
}

void identify(Session& session, const http::RequestHead& head, ConcernedFlows& out) {
  lunar::Request& request = *out.request;
  const std::string& prefix = session.worker.shared().request_id_prefix;
  std::string_view id = value_of(head, "x-lunar-req-id");
  if (id.empty()) {
    out.id_text = request_id_of(prefix, out.transaction.id);
    id = out.id_text;
  }
  request.id = id;
  std::string_view sequence = value_of(head, "x-lunar-sequence-id");
  request.sequence_id = sequence.empty() ? request.id : sequence;
  if (session.captured()) out.caller = session.worker.caller(*session.origin);
  request.caller = out.caller.get();
  std::string_view tag = value_of(head, "x-lunar-consumer-tag");
  if (tag.empty() && out.caller != nullptr) tag = out.caller->unit.empty() ? out.caller->container : out.caller->unit;
  request.consumer_tag = tag;
}

}  // namespace

std::unique_ptr<ConcernedFlows> find_flows(Session& session) {
  Worker& worker = session.worker;
  const auto& active = worker.active_plan();
  if (active == nullptr || active->plan->empty() || session.astray()) return nullptr;
  const http::RequestHead& head = worker.request_scratch();
  auto place = place_of(session, head);
  if (!place || left_alone(session, head, place->host)) return nullptr;
  place->facts.host = place->host;
  place->facts.authority = place->authority;
  place->facts.target = place->target.empty() ? head.target : std::string_view(place->target);

  std::string_view path = place->facts.target.substr(0, place->facts.target.find_first_of("?#"));
  SelectionScratch& patterns = worker.selection_scratch();
  if (!any_pattern(*active->plan, place->host, place->facts.port, path, patterns)) return nullptr;

  const uint64_t number = worker.next_request_number();
  auto out = std::make_unique<ConcernedFlows>(active, number * 0x9e3779b97f4a7c15ULL ^ worker.seed(), number);
  lunar::Request& request = *out->request;
  borrow_request(head, place->facts, request);
  if (head.has_lunar) drop_internal_fields(request);
  request.time = worker.instant().wall;
  identify(session, head, *out);
  select_among(patterns, *active->plan, request, out->transaction.dice, out->selection);
  if (out->selection.empty()) return nullptr;
  request.own();
  return out;
}

uring::Task<Served> pass_flows(Session& session, std::unique_ptr<ConcernedFlows> concerned) {
  Intake intake = session.captured() ? take_captured(session) : take_explicit(session);
  if (intake.answer) co_return refuse_request(session, intake);
  FlowAttempt attempt(session, *concerned, std::move(intake));
  Served served = co_await attempt.run();
  co_return served;
}

}  // namespace lunar::gateway
