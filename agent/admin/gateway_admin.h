// The control plane inside the gateway process: health, metrics, the control API on TCP and on the internal socket,
// and the way of every transaction to log, metrics, `tail` and `top`. It lives on one event loop, apart from the
// workers, and the worst it can do to the data path is to lose records.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agent/admin/gateway_view.h"
#include "agent/base/event_loop.h"
#include "agent/base/fd.h"
#include "agent/base/transaction.h"
#include "agent/redirect/attribution.h"
#include "agent/state/access_log.h"
#include "flowengine/result.h"

namespace lunar::admin {

struct GatewayAdminOptions {
  std::string version;
  std::string instance_id;
  std::string request_id_prefix;  // must differ between two runs of the process
  std::string api_key;            // empty: everything on the TCP port is refused
  bool managed = false;           // the answer of /handshake
  AccessLogOptions access_log;
  std::vector<TransactionRing*> rings;  // one a worker; they outlive this object
  Attribution::ExeOf program_of;        // may be empty
};

class GatewayAdmin {
 public:
  // `gateway` outlives this object.
  [[nodiscard]] static Result<std::unique_ptr<GatewayAdmin>> create(EventLoop& loop, GatewayAdminOptions options,
                                                                    GatewayView& gateway);
  GatewayAdmin(const GatewayAdmin&) = delete;
  GatewayAdmin& operator=(const GatewayAdmin&) = delete;
  ~GatewayAdmin();

  // Each takes a bound and listening socket, and may be called for several.
  [[nodiscard]] Result<> serve_health(Fd listener);
  [[nodiscard]] Result<> serve_metrics(Fd listener);
  [[nodiscard]] Result<> serve_admin(Fd listener);     // TCP, needs the key
  [[nodiscard]] Result<> serve_internal(Fd listener);  // unix socket, for the supervisor

  void reopen_logs();      // SIGUSR1, or the message "reopen_logs"
  void close_listeners();  // a successor, or nobody, answers new connections; streams and records go on
  // At the end: no more requests, all records and lines to the disk.
  void finish();

 private:
  struct State;
  explicit GatewayAdmin(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace lunar::admin
