#include "rpc/loop/callers.h"

#include <utility>

namespace decree::rpc {

Callers::Connection::Connection(Callers& callers, std::string address)
    : callers_(callers), address_(std::move(address)), taker_(callers.room_, [this] { return CutOff(); }) {}

std::string Callers::Connection::CutOff() {
  callers_.disconnect_(address_);
  return address_;
}

std::shared_ptr<Callers::Connection> Callers::Find(std::string address) {
  std::weak_ptr<Connection>& known = connections_[address];
  std::shared_ptr<Connection> connection = known.lock();
  if (connection == nullptr) {
    connection = std::make_shared<Connection>(*this, std::move(address));
    known = connection;
  }
  return connection;
}

bool Callers::IsUsed(const std::string& address) const {
  const auto found = connections_.find(address);
  if (found == connections_.end()) return false;
  const std::shared_ptr<Connection> connection = found->second.lock();
  return connection != nullptr && connection->is_used();
}

}  // namespace decree::rpc
