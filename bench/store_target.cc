#include "bench/store_target.h"

#include <thread>

namespace decree::bench {
namespace {

constexpr Duration kAskTimeout = Milliseconds(500);
constexpr Duration kAskPause = Milliseconds(50);

}  // namespace

Status StoreTarget::Connect(Duration timeout) {
  const Time deadline = clock().Now() + timeout;
  RETURN_IF_ERROR(GrpcTarget::Connect(timeout));
  if (!options().needs_leader) return OkStatus();
  while (true) {
    Status why = absl::UnavailableError("none of the endpoints leads");
    for (size_t i = 0; i < endpoints(); ++i) {
      const StatusOr<bool> leads = Leads(i, kAskTimeout);
      if (!leads.ok()) {
        why = absl::UnavailableError(StrCat(options().endpoints[i], ": ", leads.status().message()));
      } else if (*leads) {
        leader_ = i;
        return OkStatus();
      }
    }
    if (clock().Now() >= deadline) return why;
    std::this_thread::sleep_for(kAskPause);
  }
}

void StoreTarget::Start(const Request& request, Waiter& waiter) {
  switch (request.kind) {
    case Kind::kGet:
    case Kind::kStaleGet:
      return StartGet(request, waiter);
    case Kind::kSwap:
      return StartSwap(request, waiter);
    default:
      return StartPut(request, waiter);
  }
}

// Goes on with whom the node named, or else with the next one.
void StoreTarget::OnLeaderFailed(const Status& status, const std::string& named, size_t asked) {
  if (!absl::IsUnavailable(status) && !absl::IsDeadlineExceeded(status)) return;
  if (asked == leader_) leader_ = (leader_ + 1) % endpoints();
  for (size_t i = 0; i < endpoints(); ++i) {
    if (options().endpoints[i] == named) leader_ = i;
  }
}

}  // namespace decree::bench
