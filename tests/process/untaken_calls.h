#pragma once
// Calls whose client keeps its connections well and takes no answer: HTTP/2's flow control holds the answers at the
// node, and TCP sees nothing amiss.

#include <atomic>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include <google/protobuf/message.h>
#include <grpcpp/generic/generic_stub.h>

namespace decree::process {

class UntakenCalls {
 public:
  // So many calls of a method, all with this request.
  UntakenCalls(const std::string& endpoint, const std::string& method, const google::protobuf::Message& request,
               size_t calls);
  ~UntakenCalls();

 private:
  class Call;

  std::vector<std::unique_ptr<grpc::GenericStub>> stubs_;
  std::vector<std::unique_ptr<Call>> calls_;
  std::atomic<size_t> ended_{0};
};

}  // namespace decree::process
