#include "rpc/loop/unary_reading.h"

#include <string>
#include <utility>

#include "paxos/base/rare_case.h"

namespace decree::rpc {
namespace {

// How many large requests of one connection wait to be read. gRPC holds the first 64 KiB of each.
constexpr size_t kUnreadMax = 256;

Failure TooManyUnread() {
  return Overloaded(StrCat(kUnreadMax, " requests of this connection wait to be read, and no more may", kNotServed));
}
Failure NoRoomInTime() { return Overloaded(StrCat("other large requests have left no room for this one", kNotServed)); }

}  // namespace

void UnaryReading::Begin() {
  wire_->Begin(shared_from_this());
  Budget::Holder& requests = wire_->connection()->requests();
  const Budget::Size size = wire_->connection()->expected_size();
  if (requests.HasRoom(size)) return Read();
  RARE_CASE("a request waits to be read");
  if (requests.waiting() >= kUnreadMax) return Refuse(TooManyUnread());
  requests.Await(size, wire_->Deadline(), [self = shared_from_this()](bool has_room) {
    if (self->wire_->is_ending()) return;
    has_room ? self->Read() : self->Refuse(NoRoomInTime());
  });
}

void UnaryReading::Read() {
  Callers::Connection& connection = *wire_->connection();
  reading_ = connection.requests().Charge(connection.expected_bytes());
  wire_->Read();
}

void UnaryReading::OnMessage() {
  const size_t bytes = wire_->received_bytes();
  wire_->SetBusy(true);
  wire_->connection()->NoteRequest(bytes);
  reading_.Resize(bytes);
  if (admission_ == nullptr) return Serve({});
  // Whoever waits already goes first.
  admission_->waiting() == 0 ? TakePlace() : AwaitPlace();
}

void UnaryReading::TakePlace() {
  Admission::Place place = admission_->Enter(Admission::BytesOf(wire_->received_bytes()));
  place ? Serve(std::move(place)) : AwaitPlace();
}

void UnaryReading::AwaitPlace() {
  if (admission_->HasAllRequests()) return Serve({});
  RARE_CASE("a request that was read waits for its place");
  reading_.Excuse();
  admission_->Await([self = shared_from_this()] {
    if (!self->wire_->is_ending()) self->TakePlace();
  });
}

void UnaryReading::Serve(Admission::Place place) {
  reading_ = {};
  OnRequest(std::move(place));
}

// It may still stand in a line, and holds nothing there.
void UnaryReading::OnGone() {
  wire_->DropMessage();
  reading_ = {};
}

void UnaryReading::OnHalfClosed() {
  Refuse(NotExecuted(grpc::StatusCode::INVALID_ARGUMENT, StrCat("no ", RequestName(), " was sent")));
}

}  // namespace decree::rpc
