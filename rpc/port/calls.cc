#include "rpc/port/calls.h"

#include <utility>

#include "paxos/base/status.h"
#include "rpc/failure.h"
#include "rpc/printable.h"

namespace decree::rpc {
namespace {

// How many calls are awaited at a time, so that a burst need not wait for us to ask for each.
constexpr int kAwaited = 128;
// Of a method's path, as much is told.
constexpr size_t kMethodBytesMax = 128;

// A call that is told why it is not served.
class Refusal final : public ServerCall::Handler {
 public:
  static void Tell(std::unique_ptr<ServerCall> call, const Failure& why) {
    ServerCall& refused = *call;
    refused.Begin(std::make_shared<Refusal>(std::move(call)));
    refused.Fail(why);
  }
  explicit Refusal(std::unique_ptr<ServerCall> call) : call_(std::move(call)) {}

 private:
  void OnMessage() override {}
  void OnHalfClosed() override {}
  void OnWritten() override {}
  void OnGone() override {}

  const std::unique_ptr<ServerCall> call_;
};

}  // namespace

void Calls::Open() {
  for (int i = 0; i < kAwaited; ++i) Await();
}

void Calls::OnArrived(std::unique_ptr<ServerCall> call) {
  Await();
  call->SetConnection(callers_.Find(call->caller()));
  const Status let_in = callers_.LetIn(*call->connection());
  if (!let_in.ok()) return Refusal::Tell(std::move(call), AskAnother(std::string(let_in.message())));
  const ServerCall::Receive* const receive = methods_.Find(call->method());
  if (receive == nullptr) {
    const std::string why = StrCat(Printable(call->method(), kMethodBytesMax), " is not known here; ", purpose_);
    return Refusal::Tell(std::move(call), NotExecuted(grpc::StatusCode::UNIMPLEMENTED, why));
  }
  (*receive)(std::move(call));
}

}  // namespace decree::rpc
