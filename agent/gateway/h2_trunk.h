// Connections of HTTP/2 to providers, and who uses them. Those of one program whose connections are opened, that reach
// the same provider by the same offer, share one as long as it takes more requests. One thread.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "agent/base/endpoint.h"
#include "agent/gateway/h2_connection.h"

namespace lunar::gateway {

class H2Route;
class H2Trunks;

struct H2Provider {
  Endpoint destination;
  std::string sharing;      // who may use the same connection; empty: nobody else
  std::string certificate;  // DER, as it was shown; empty without TLS
  bool verified = false;
};

// One connection. It ends when nobody uses it any more and its streams have ended.
class H2Trunk : public std::enable_shared_from_this<H2Trunk> {
 public:
  // `trunks` outlives it.
  [[nodiscard]] static std::shared_ptr<H2Trunk> create(H2Trunks& trunks, std::shared_ptr<const H2Provider> provider,
                                                       std::shared_ptr<H2Connection> connection);
  H2Trunk(const H2Trunk&) = delete;
  H2Trunk& operator=(const H2Trunk&) = delete;
  ~H2Trunk();

  [[nodiscard]] H2Connection& connection() const { return *connection_; }
  [[nodiscard]] const std::shared_ptr<const H2Provider>& provider() const { return provider_; }

 private:
  friend class H2Route;
  H2Trunk(H2Trunks& trunks, std::shared_ptr<const H2Provider> provider, std::shared_ptr<H2Connection> connection);
  void closes();

  H2Trunks& trunks_;
  const std::shared_ptr<const H2Provider> provider_;
  const std::shared_ptr<H2Connection> connection_;
  std::vector<H2Route*> users_;
  bool closes_ = false;  // what came before it is with the owners of streams
};

// Those of a worker that can be shared.
class H2Trunks {
 public:
  [[nodiscard]] bool has(const Endpoint& destination) const { return trunks_.contains(destination); }
  // The first that takes a further request, of those whose provider's settings are known if there is one. Null: none.
  [[nodiscard]] std::shared_ptr<H2Trunk> find(const Endpoint& destination, std::string_view sharing) const;

 private:
  friend class H2Trunk;
  std::unordered_map<Endpoint, std::vector<H2Trunk*>> trunks_;  // in the order in which they were made
};

// By which trunk the requests of one client go; all its sessions have it.
class H2Route {
 public:
  explicit H2Route(std::shared_ptr<H2Trunk> trunk);
  H2Route(const H2Route&) = delete;
  H2Route& operator=(const H2Route&) = delete;
  ~H2Route();

  [[nodiscard]] H2Trunk& trunk() const { return *trunk_; }
  // Requests to come go by this one.
  void take(std::shared_ptr<H2Trunk> trunk);
  // False: a further request should go by another trunk. Where only its own are in the way, it waits for its turn.
  [[nodiscard]] bool suits() const;
  // The client's own connection, if that is of HTTP/2. It is drained when the trunk ends, unless that is shared:
  // its requests go by another then, for the end may be due to what others have asked.
  void lead(const std::shared_ptr<H2Connection>& client);

 private:
  friend class H2Trunk;
  void join();
  void leave();

  std::shared_ptr<H2Trunk> trunk_;
  std::weak_ptr<H2Connection> client_;
};

}  // namespace lunar::gateway
