#include "rpc/port/unknown_calls.h"

#include <memory>
#include <utility>

#include "paxos/base/status.h"

namespace decree::rpc {

// One call: waited for, then refused.
class UnknownCalls::Refusal {
 public:
  explicit Refusal(UnknownCalls& owner) : owner_(owner), stream_(&context_) {}

  static void Await(UnknownCalls& owner) {
    auto refusal = std::make_unique<Refusal>(owner);
    Refusal& awaited = *refusal;
    awaited.self_ = std::move(refusal);
    auto* const queue = owner.loop_.queue();
    owner.service_.RequestCall(&awaited.context_, &awaited.stream_, queue, queue, owner.loop_.Tag(awaited.arrived_));
  }

 private:
  void OnArrived(bool ok) {
    if (!ok) return self_.reset();  // The server is closing.
    Await(owner_);
    stream_.Finish(grpc::Status(grpc::StatusCode::UNIMPLEMENTED, StrCat(context_.method(), ": ", owner_.text_)),
                   owner_.loop_.Tag(refused_));
  }
  void OnRefused(bool) { self_.reset(); }

  UnknownCalls& owner_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  std::unique_ptr<Refusal> self_;  // while gRPC may still call back

  MemberEvent<Refusal, &Refusal::OnArrived> arrived_{this};
  MemberEvent<Refusal, &Refusal::OnRefused> refused_{this};
};

void UnknownCalls::Open() { Refusal::Await(*this); }

}  // namespace decree::rpc
