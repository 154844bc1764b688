#include "rpc/peer_lives.h"

namespace decree::rpc {
namespace {

// Long enough to be seen and told, and short enough to get over a mistake.
constexpr Duration kRemembered = Seconds(30);

}  // namespace

void PeerLives::OnMessage(uint64_t life, Time now) {
  if (life == present_) return;
  std::erase_if(replaced_, [&](const auto& item) { return now > item.second + kRemembered; });
  if (present_ != 0) replaced_[present_] = now;
  replaced_.erase(life);
  present_ = life;
}

bool PeerLives::IsReplaced(uint64_t life, Time now) const {
  const auto found = replaced_.find(life);
  return found != replaced_.end() && now <= found->second + kRemembered;
}

}  // namespace decree::rpc
