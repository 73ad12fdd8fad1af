#include "agent/admin/transaction_metrics.h"

#include "agent/state/call_facts.h"

namespace lunar::admin {

void TransactionMetrics::add(const TransactionRecord& record, const Caller& caller) {
  if (record.opaque != OpaqueReason::none) return;
  const RecordNames names{
      .consumer_tag = caller.tag(), .comm = caller.comm, .unit = caller.unit, .container = caller.container};
  const RecordFacts facts(record, names);
  general_.add(facts.view());
  if (observe_) observe_(facts.view());
}

}  // namespace lunar::admin
