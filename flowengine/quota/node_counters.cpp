#include "flowengine/quota/node_counters.h"

#include <algorithm>
#include <charconv>

#include "flowengine/http_date.h"
#include "flowengine/quota/reset_time.h"

namespace lunar {
namespace {

constexpr auto knowledge_without_reset = std::chrono::seconds(60);
constexpr int64_t most_amount = int64_t{1} << 53;

std::optional<int64_t> parse_count(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > most_amount) return std::nullopt;
  return value;
}

}  // namespace

void WindowNode::redefine(const FixedWindow& definition, const LocalZone& zone, const Instant& now) {
  // What closed up to now closed under the old numbers.
  for_each(now, [](std::string_view, const Window&) {});
  rules_ = WindowRules(definition, zone);
  auto change = [&](std::string_view, Window& window) { rules_.change_carry_renewal(window, now); };
  change(default_group, single_);
  groups_.for_each(change);
}

const Window& WindowNode::look_up(std::string_view group, const Instant& now) {
  static const Window fresh;
  Window* window = grouped_ ? groups_.find(groups_.settle_name(group, rules_, now)) : &single_;
  if (window == nullptr) return fresh;
  rules_.update(*window, now);
  return *window;
}

Check WindowNode::check(const Claim& claim, const Instant& now) {
  if (!rules_.ever_admits(claim.amount)) return {.admitted = false, .never = true};
  const Window& window = look_up(claim.group, now);
  if (rules_.admits(window, std::max<int64_t>(0, claim.amount))) return {};
  return {.admitted = false, .earliest = rules_.earliest(window, now)};
}

void WindowNode::count(std::string_view group, int64_t amount, const Instant& now) {
  if (amount <= 0) return;
  std::string_view name = grouped_ ? groups_.settle_name(group, rules_, now) : default_group;
  Window& window = grouped_ ? groups_.make(name) : single_;
  rules_.update(window, now);
  bool opens = !window.open;
  rules_.count(window, amount, now);
  if (opens && grouped_) groups_.opened(name);
}

void WindowNode::admit(const Claim& claim, const Instant& now) {
  if (rules_.definition().counter != Counter::response) count(claim.group, claim.amount, now);
}

bool WindowNode::count_up_to_limit(std::string_view group, int64_t amount, const Instant& now) {
  const Window& window = look_up(group, now);
  int64_t room = std::max<int64_t>(0, rules_.limit(window) - window.used);
  count(group, std::min(amount, room), now);
  return amount > 0 && amount <= room;
}

void WindowNode::add(std::string_view group, int64_t amount, const Instant& now) { count(group, amount, now); }

void WindowNode::restore(std::string_view group, Window saved, const Instant& now) {
  // The clock of people may have been set back since: no window lasts longer than its length.
  saved.end = std::min(saved.end, now.steady + rules_.length());
  if (!rules_.definition().renewal) saved.renewal = WallTime::max();
  rules_.update(saved, now);
  if (!rules_.definition().spillover_max || !rules_.definition().carry_renewal) saved.carry = 0;
  saved.carry = std::min(saved.carry, rules_.definition().spillover_max.value_or(0));
  if (saved.forgettable()) return;
  std::string_view name = grouped_ ? groups_.settle_name(group, rules_, now) : default_group;
  Window& window = grouped_ ? groups_.make(name) : single_;
  rules_.update(window, now);
  int64_t since = window.used;
  bool opens = saved.open && !window.open;
  if (saved.open || !window.open) window = saved;
  if (saved.open) rules_.count(window, since, now);
  if (!saved.open) window.carry = saved.carry;
  if (opens && grouped_) groups_.opened(name);
}

void ConcurrentNode::drop_expired(const Instant& now) {
  while (!slots_.empty() && slots_.oldest().since + definition_.expiration <= now.steady)
    slots_.erase(slots_.oldest().transaction);
}

void ConcurrentNode::sweep(const Instant& now) {
  if (now.steady < next_sweep_) return;
  drop_expired(now);
  next_sweep_ = now.steady + definition_.sweep;
}

Check ConcurrentNode::check(TransactionId transaction, const Instant& now) {
  drop_expired(now);
  int64_t excess = live() - definition_.max_requests;
  if (excess < 0 || slots_.contains(transaction)) return {};
  // Under a lowered maximum more than one slot has to go first.
  const auto& decisive = slots_.oldest(static_cast<size_t>(excess));
  return {.admitted = false, .earliest = decisive.since + definition_.expiration};
}

bool ConcurrentNode::admit(TransactionId transaction, const Instant& now) {
  return slots_.insert(transaction, now.steady);
}

bool ConcurrentNode::release(TransactionId transaction, const Instant& now) {
  drop_expired(now);
  return slots_.erase(transaction);
}

void HeaderNode::update(const Instant& now) {
  if (knowledge_ && now.steady >= knowledge_->until) knowledge_.reset();
  if (block_ && now.steady >= block_->until) block_.reset();
}

Check HeaderNode::check(const Instant& now) {
  update(now);
  Check check;
  if (block_) check = {.admitted = false, .earliest = block_->until};
  if (knowledge_ && knowledge_->remaining == 0)
    check = {.admitted = false, .earliest = std::max(check.earliest, knowledge_->until)};
  return check;
}

void HeaderNode::admit(TransactionId transaction, const Instant& now) {
  if (knowledge_ && knowledge_->remaining > 0) {
    --knowledge_->remaining;
    ++knowledge_->admitted;
  }
  flights_.insert(transaction, now.steady);
}

bool HeaderNode::count_up_to_limit(TransactionId transaction, const Instant& now) {
  bool room = check(now).admitted;
  admit(transaction, now);  // it goes out in any case, and the provider will count it
  return room;
}

bool HeaderNode::learn_remaining(std::string_view text, const Instant& now) {
  auto told = parse_count(text);
  if (!told) return false;
  auto remaining = std::max<int64_t>(0, *told - static_cast<int64_t>(flights_.size()));
  // A reset that an earlier response gave, and that is still ahead, stands.
  bool reset_known = knowledge_ && knowledge_->reset_given;
  SteadyTime until = reset_known ? knowledge_->until : now.steady + knowledge_without_reset;
  knowledge_ = Knowledge{remaining, 0, now.steady, until, reset_known};
  return true;
}

bool HeaderNode::learn_reset(std::string_view text, const Instant& now) {
  auto reset = parse_reset_time(text, now);
  if (!reset || !knowledge_) return reset.has_value();
  knowledge_->until = *reset;
  knowledge_->reset_given = true;
  return true;
}

bool HeaderNode::learn_block(std::string_view text, const Instant& now) {
  auto wait = parse_retry_after(text, now);
  if (wait) block_ = Block{now.steady, now.steady + *wait};
  return wait.has_value();
}

bool HeaderNode::learn(TransactionId transaction, const ToldHeaders& told, const Instant& now) {
  flights_.erase(transaction);
  update(now);
  unsigned learned = 0;
  auto read = [&](bool readable) { readable ? ++learned : ++unreadable_; };
  if (told.quota) read(learn_remaining(*told.quota, now));
  if (told.reset) read(learn_reset(*told.reset, now));
  if (told.retry_after) read(learn_block(*told.retry_after, now));
  update(now);
  return learned > 0;
}

void HeaderNode::restore(const std::optional<Knowledge>& knowledge, const std::optional<Block>& block) {
  if (!knowledge_) knowledge_ = knowledge;  // what was learned since the start is newer
  if (!block_) block_ = block;
}

}  // namespace lunar
