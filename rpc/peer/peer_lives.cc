#include "rpc/peer/peer_lives.h"

namespace decree::rpc {
namespace {

// Long enough to be seen and told, and short enough to get over a mistake.
constexpr Duration kRemembered = Seconds(30);
// Two processes that run take turns several times in a second.
constexpr int kReturnsMax = 6;

}  // namespace

bool PeerLives::Greet(uint64_t life, Time now) {
  if (life == present_) return true;
  std::erase_if(replaced_, [&](const auto& item) { return now > item.second + kRemembered; });
  if (replaced_.empty()) returns_ = 0;
  if (replaced_.contains(life)) {
    if (returns_ == kReturnsMax) return false;
    ++returns_;
    replaced_.erase(life);
  }
  if (present_ != 0) replaced_[present_] = now;
  present_ = life;
  return true;
}

}  // namespace decree::rpc
