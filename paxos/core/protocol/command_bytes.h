#pragma once
// The bytes of a command, shared by all who hold it until it is part of an entry: a copy each would be a second MiB for
// a large one.

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

namespace decree::paxos {

class CommandBytes {
 public:
  CommandBytes(std::shared_ptr<const std::string> bytes) : bytes_(std::move(bytes)) {}
  CommandBytes(std::string bytes) : bytes_(std::make_shared<const std::string>(std::move(bytes))) {}
  CommandBytes(const char* text) : CommandBytes(std::string(text)) {}

  const std::string& operator*() const { return *bytes_; }
  size_t size() const { return bytes_->size(); }

 private:
  std::shared_ptr<const std::string> bytes_;
};

}  // namespace decree::paxos
