#include "agent/admin/tail.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lunar::admin {
namespace {

bool is_at_or_below(std::string_view host, std::string_view domain) {
  if (!host.ends_with(domain)) return false;
  return host.size() == domain.size() || host[host.size() - domain.size() - 1] == '.';
}

}  // namespace

bool passes(const TailFilter& filter, const TailLine& line) {
  if (!filter.host.empty() && !is_at_or_below(line.host, filter.host)) return false;
  if (!filter.unit.empty() && line.unit != filter.unit && line.unit != filter.unit + ".service") return false;
  return filter.pid.empty() || filter.pid == std::to_string(line.pid);
}

TailLine& Tail::next() {
  if (lines_.size() < kKept) return lines_.emplace_back();
  TailLine oldest = std::move(lines_.front());
  lines_.pop_front();
  oldest.line.clear();
  return lines_.emplace_back(std::move(oldest));
}

void Tail::publish() {
  const TailLine& line = lines_.back();
  for (auto follower = followers_.begin(); follower != followers_.end();) {
    if (!follower->reply.alive()) {
      follower = followers_.erase(follower);
      continue;
    }
    if (passes(follower->filter, line)) send(*follower, line.line);
    ++follower;
  }
}

void Tail::send(Follower& follower, const std::string& line) {
  std::string text;
  if (follower.lost != 0) text = "{\"tail_lost\":" + std::to_string(follower.lost) + "}\n";
  text += line;
  text += '\n';
  if (follower.reply.write(text)) {
    follower.lost = 0;
  } else {
    ++follower.lost;
  }
}

void Tail::serve(const TailFilter& filter, size_t count, bool follow, HttpReply reply) {
  std::erase_if(followers_, [](const Follower& follower) { return !follower.reply.alive(); });
  if (follow && followers_.size() >= kFollowers) {
    return reply.send(error_response(503, "too many followers", "end one of the other `lunarctl tail -f`"));
  }
  std::vector<const TailLine*> chosen;
  for (auto line = lines_.rbegin(); line != lines_.rend() && chosen.size() < count; ++line) {
    if (passes(filter, *line)) chosen.push_back(&*line);
  }
  Follower follower{filter, std::move(reply)};
  follower.reply.begin(200, "application/x-ndjson");
  for (auto line = chosen.rbegin(); line != chosen.rend(); ++line) send(follower, (*line)->line);
  if (follow) {
    followers_.push_back(std::move(follower));
  } else {
    follower.reply.end();
  }
}

void Tail::end_all() {
  for (Follower& follower : followers_) follower.reply.end();
  followers_.clear();
}

}  // namespace lunar::admin
