#pragma once
// The methods that are served at a port.

#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include <glog/logging.h>

#include "rpc/loop/server_call.h"

namespace decree::rpc {

class Methods {
 public:
  // Adds a method. `path` is gRPC's, as in /decree.v1.KV/Pipeline. What `receive` uses outlives the end of all calls.
  void Add(std::string path, ServerCall::Receive receive) {
    CHECK(methods_.emplace(std::move(path), std::move(receive)).second) << "a method is served twice";
  }
  // The method of that path; null if there is none.
  const ServerCall::Receive* Find(const std::string& path) const {
    const auto found = methods_.find(path);
    return found == methods_.end() ? nullptr : &found->second;
  }

 private:
  std::unordered_map<std::string, ServerCall::Receive> methods_;
};

}  // namespace decree::rpc
