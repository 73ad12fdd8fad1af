#include "agent/gateway/h2_trunk.h"

#include <algorithm>
#include <utility>

namespace lunar::gateway {

H2Trunk::H2Trunk(H2Trunks& trunks, std::shared_ptr<const H2Provider> provider, std::shared_ptr<H2Connection> connection)
    : trunks_(trunks), provider_(std::move(provider)), connection_(std::move(connection)) {}

std::shared_ptr<H2Trunk> H2Trunk::create(H2Trunks& trunks, std::shared_ptr<const H2Provider> provider,
                                         std::shared_ptr<H2Connection> connection) {
  std::shared_ptr<H2Trunk> trunk(new H2Trunk(trunks, std::move(provider), std::move(connection)));
  if (!trunk->provider_->sharing.empty()) trunks.trunks_[trunk->provider_->destination].push_back(trunk.get());
  trunk->connection_->when_closing([self = trunk.get()] { self->closes(); });
  return trunk;
}

H2Trunk::~H2Trunk() {
  connection_->when_closing(nullptr);
  connection_->drain();
  auto found = trunks_.trunks_.find(provider_->destination);
  if (found == trunks_.trunks_.end()) return;
  std::erase(found->second, this);
  if (found->second.empty()) trunks_.trunks_.erase(found);
}

void H2Trunk::closes() {
  closes_ = true;
  if (users_.size() > 1 && connection_->reached()) return;
  for (const H2Route* user : users_)
    if (auto client = user->client_.lock()) client->drain();
}

std::shared_ptr<H2Trunk> H2Trunks::find(const Endpoint& destination, std::string_view sharing) const {
  auto found = trunks_.find(destination);
  if (found == trunks_.end()) return nullptr;
  H2Trunk* opening = nullptr;
  for (H2Trunk* trunk : found->second) {
    const H2Connection& connection = trunk->connection();
    if (trunk->provider()->sharing != sharing || !connection.takes_more()) continue;
    if (connection.settled()) return trunk->shared_from_this();
    if (opening == nullptr) opening = trunk;
  }
  return opening == nullptr ? nullptr : opening->shared_from_this();
}

H2Route::H2Route(std::shared_ptr<H2Trunk> trunk) : trunk_(std::move(trunk)) { join(); }

H2Route::~H2Route() { leave(); }

void H2Route::join() { trunk_->users_.push_back(this); }

void H2Route::leave() { std::erase(trunk_->users_, this); }

void H2Route::take(std::shared_ptr<H2Trunk> trunk) {
  if (trunk == trunk_) return;
  leave();
  trunk_ = std::move(trunk);
  join();
}

bool H2Route::suits() const {
  const H2Connection& connection = trunk_->connection();
  return connection.takes_more() || (trunk_->users_.size() == 1 && !connection.closing());
}

void H2Route::lead(const std::shared_ptr<H2Connection>& client) {
  client_ = client;
  if (trunk_->closes_ && trunk_->users_.size() == 1) client->drain();
}

}  // namespace lunar::gateway
