#include "flowengine/expr/view.h"

#include "flowengine/expr/message_members.h"

namespace lunar {
namespace {

size_t index_of(Root root) { return static_cast<size_t>(root); }

}  // namespace

View::View(const Request& request, const Response* response) : request_(&request), response_(response) {}
View::~View() = default;

void View::forget(Root root) {
  bodies_[index_of(root)] = {};
  members_[index_of(root)].reset();
}

void View::set_response(const Response* response) {
  response_ = response;
  forget(Root::response);
}

void View::set_path_params(const PathParams* params) {
  if (params == path_params_) return;
  path_params_ = params;
  for (const auto& members : members_)
    if (members) members->path_params_changed();
}

void View::request_changed() {
  forget(Root::request);
  members_[index_of(Root::response)].reset();  // the response repeats some of the request
}

void View::response_changed() { forget(Root::response); }

const Message* View::message(Root root) const {
  if (root == Root::request) return request_;
  return response_;
}

const Json* View::json(Root root) {
  Body& body = bodies_[index_of(root)];
  const Message* from = message(root);
  if (!body.parsed && from != nullptr && from->body) body.json = parse_json(*from->body);
  body.parsed = true;
  return body.json ? &*body.json : nullptr;
}

MessageMembers* View::members(Root root) {
  if (message(root) == nullptr) return nullptr;
  auto& members = members_[index_of(root)];
  if (!members) members = std::make_unique<MessageMembers>(*this, root);
  return members.get();
}

}  // namespace lunar
