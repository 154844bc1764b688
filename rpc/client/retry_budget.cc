#include "rpc/client/retry_budget.h"

#include <algorithm>
#include <chrono>

namespace decree::rpc {

RetryBudget::RetryBudget(const RetryBudgetOptions& options, Time now)
    : options_(options), tokens_(options.tokens_max), filled_at_(now) {}

bool RetryBudget::TryTake(Time now) {
  if (now > filled_at_) {
    const double seconds = std::chrono::duration<double>(now - filled_at_).count();
    tokens_ = std::min(options_.tokens_max, tokens_ + seconds * options_.tokens_per_second);
    filled_at_ = now;
  }
  if (tokens_ < 1) return false;
  tokens_ -= 1;
  return true;
}

void RetryBudget::OnSuccess() { tokens_ = std::min(options_.tokens_max, tokens_ + options_.tokens_per_success); }

}  // namespace decree::rpc
