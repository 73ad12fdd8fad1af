// All that `lunarctl` and the daemon agree on: where to connect, routes, member names, exit codes.
// Everything is HTTP/1.1 with JSON bodies, so that curl --unix-socket speaks it as well.
#pragma once

#include <array>
#include <string_view>

namespace lunar::wire {

inline constexpr std::string_view kDefaultSocket = "/run/lunar/lunard.sock";
inline constexpr std::string_view kDefaultConfigDir = "/etc/lunar";

namespace route {
// Answered by the supervisor, also while the gateway hangs.
inline constexpr std::string_view kAttach = "/attach";            // POST AttachRequest as JSON
inline constexpr std::string_view kDetach = "/detach";            // POST the same members
inline constexpr std::string_view kAttachments = "/attachments";  // GET {"attachments":[..]}
inline constexpr std::string_view kStatus = "/status";            // GET; holds "gateway": its own /status, or an error
inline constexpr std::string_view kFailsafe = "/failsafe";        // PUT {"mode":"bypass"|"auto"}
inline constexpr std::string_view kRestart = "/restart";          // POST: replace the gateway process, losing nothing
inline constexpr std::string_view kReload = "/reload";            // POST: read the configuration root again
inline constexpr std::string_view kLoadFlows = "/load_flows";     // POST: the same, with diagnostics
inline constexpr std::string_view kValidateFlows =
    "/validate_flows";  // POST: check the root, or the body, without loading it
inline constexpr std::string_view kApplyFlows = "/apply_flows";       // PUT: replace files of the root, and load it
inline constexpr std::string_view kConfiguration = "/configuration";  // POST {"operation": {..}}
inline constexpr std::string_view kDoctor = "/doctor";                // GET ?unit=NAME or ?pid=N
// Answered by the gateway; through the supervisor with a limit of one second.
inline constexpr std::string_view kHandshake = "/handshake";
inline constexpr std::string_view kFlows = "/flows";                       // GET
inline constexpr std::string_view kQuotas = "/quotas";                     // GET
inline constexpr std::string_view kTls = "/tls";                           // GET
inline constexpr std::string_view kDiscover = "/discover";                 // GET, the discovery state
inline constexpr std::string_view kExportersReload = "/exporters/reload";  // POST: reopen their files
inline constexpr std::string_view kTop = "/top";                           // GET ?by=process|unit|host
inline constexpr std::string_view kTail = "/tail";               // GET ?follow=1&n=10&host=&unit=&pid=; one JSON a line
inline constexpr std::string_view kMetrics = "/metrics";         // GET, Prometheus text
inline constexpr std::string_view kLogsReopen = "/logs/reopen";  // POST
inline constexpr std::string_view kLogsFlush = "/logs/flush";    // POST
}  // namespace route

namespace key {
// Every error: {"msg": what failed, "error": the first cause}.
inline constexpr const char* kMessage = "msg";
inline constexpr const char* kError = "error";
// AttachRequest: exactly one of target and pid.
inline constexpr const char* kTarget = "target";                 // cgroup path, unit name or container id
inline constexpr const char* kPid = "pid";                       // the cgroup of this process
inline constexpr const char* kNetns = "netns";                   // also capture in the target's own network namespace
inline constexpr const char* kResetExisting = "reset_existing";  // end connections that are open already
inline constexpr const char* kTransient = "transient";           // not kept over a restart (lunarctl run)
// An attachment.
inline constexpr const char* kAttachments = "attachments";
inline constexpr const char* kCgroup = "cgroup";
inline constexpr const char* kState = "state";  // captured, waiting (no such cgroup at present), bypass (with warning)
inline constexpr const char* kWarning = "warning";
inline constexpr const char* kConnections = "connections";
// Failsafe, within status and health bodies.
inline constexpr const char* kFailsafe = "failsafe";
inline constexpr const char* kMode = "mode";
inline constexpr const char* kSince = "since";
inline constexpr const char* kReason = "reason";
inline constexpr const char* kOperator = "operator_bypass";
inline constexpr const char* kFailedProbes = "failed_probes";
inline constexpr const char* kHeartbeatAge = "heartbeat_age_ms";
inline constexpr const char* kPendingAccepts = "pending_accepts";
inline constexpr const char* kDirect = "direct_connections";  // map reason -> count
// Status.
inline constexpr const char* kVersion = "version";
inline constexpr const char* kInstance = "instance_id";
inline constexpr const char* kUptime = "uptime_s";
inline constexpr const char* kSupervisor = "supervisor";
inline constexpr const char* kGateway = "gateway";
inline constexpr const char* kWorkers = "workers";
inline constexpr const char* kOpenConnections = "open_connections";
inline constexpr const char* kMaxConnections = "max_connections";
inline constexpr const char* kWarnings = "warnings";
inline constexpr const char* kListeners = "listeners";
// Doctor.
inline constexpr const char* kChecks = "checks";  // list of {name, ok, level, text, hint}
inline constexpr const char* kName = "name";
inline constexpr const char* kLevel = "level";  // ok, warning, error
inline constexpr const char* kText = "text";
inline constexpr const char* kHint = "hint";
// Top.
inline constexpr const char* kRows = "rows";
inline constexpr const char* kWindow = "window_s";
inline constexpr const char* kRate = "requests_per_second";
inline constexpr const char* kRequests = "requests";
inline constexpr const char* kErrors = "errors";
inline constexpr const char* kP50 = "p50_ms";
inline constexpr const char* kP99 = "p99_ms";
inline constexpr const char* kBytesIn = "bytes_in";
inline constexpr const char* kBytesOut = "bytes_out";
}  // namespace key

inline constexpr std::array<std::string_view, 3> kTopGroups{"process", "unit", "host"};

// What lunarctl exits with; scripts depend on it.
enum class Exit : int {
  ok = 0,
  refused = 1,      // the daemon understood and said no, or the operation failed
  usage = 2,        // wrong arguments
  unreachable = 3,  // no daemon behind the socket
  permission = 4,   // the socket, or the kernel, refused this user
};

}  // namespace lunar::wire
