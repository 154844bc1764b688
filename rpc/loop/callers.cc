#include "rpc/loop/callers.h"

#include <utility>

namespace decree::rpc {

Callers::Connection::Connection(Callers& callers, std::string address)
    : callers_(callers), address_(std::move(address)), taker_(callers.room_, [this] { return Cancel(); }) {}

std::string Callers::Connection::Cancel() {
  for (grpc::ServerContext* const call : leaving_) call->TryCancel();
  return address_;
}

std::shared_ptr<Callers::Connection> Callers::Find(const grpc::ServerContext& call) {
  std::string address = call.peer();
  std::weak_ptr<Connection>& known = connections_[address];
  std::shared_ptr<Connection> connection = known.lock();
  if (connection == nullptr) {
    connection = std::make_shared<Connection>(*this, std::move(address));
    known = connection;
  }
  return connection;
}

}  // namespace decree::rpc
