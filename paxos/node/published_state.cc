#include "paxos/node/published_state.h"

namespace decree::paxos {

void PublishedState::Publish(const LeaseView& view) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  const uint64_t sequence = sequence_.load(kRelaxed);
  sequence_.store(sequence + 1, kRelaxed);
  std::atomic_thread_fence(std::memory_order_release);
  round_.store(view.ballot.round, kRelaxed);
  node_.store(view.ballot.node.value(), kRelaxed);
  until_.store(view.until.time_since_epoch().count(), kRelaxed);
  index_.store(view.index.value(), kRelaxed);
  sequence_.store(sequence + 2, std::memory_order_release);
}

LeaseView PublishedState::Look() const {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  for (;;) {
    const uint64_t sequence = sequence_.load(std::memory_order_acquire);
    const LeaseView view{.ballot = {.round = round_.load(kRelaxed), .node = NodeId(node_.load(kRelaxed))},
                         .until = Time(Duration(until_.load(kRelaxed))),
                         .index = Slot(index_.load(kRelaxed))};
    std::atomic_thread_fence(std::memory_order_acquire);
    if (sequence % 2 == 0 && sequence_.load(kRelaxed) == sequence) return view;
  }
}

}  // namespace decree::paxos
