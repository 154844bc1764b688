// Requests of clients, one at a time and by the batch: what the door lets through is a command that every replica can
// read, and nothing holds much more than its bytes.

#include <string>

#include <glog/logging.h>

#include "decree/v1/kv.pb.h"
#include "kv/command.h"
#include "rpc/kv/commands.h"
#include "rpc/kv/request_batch.h"
#include "rpc/loop/request_bytes.h"
#include "rpc/pipelined_methods.h"
#include "tests/fuzz/fuzz.h"

namespace decree::fuzz {
namespace {

// What a field may take beyond its bytes.
constexpr size_t kFieldBytes = 128;
constexpr size_t kMessageBytes = 4096;

void ExpectReadable(v1::Command command) {
  if (!rpc::Check(command).ok()) return;
  CHECK(kv::CheckCommand(command).ok());
  const std::string bytes = command.SerializeAsString();
  const std::optional<v1::Command> parsed = kv::ParseCommand(bytes);
  CHECK(parsed.has_value()) << command.ShortDebugString();
  CHECK_EQ(parsed->SerializeAsString(), bytes);
  CHECK_NE(kv::RequestHash(command), 0u);
}

void Serve(v1::GetRequest& request) { static_cast<void>(rpc::Check(request)); }
void Serve(v1::RangeRequest& request) { static_cast<void>(rpc::Check(request)); }
template <typename Write>
void Serve(Write& request) {
  ExpectReadable(rpc::MakeCommand(request));
}

template <typename Request>
void Parse(std::string_view bytes) {
  Request request;
  const bool is_one = rpc::ParseRequest(bytes, request);
  CHECK_LE(request.SpaceUsedLong(), bytes.size() + kMessageBytes + rpc::kRequestFieldsMax * kFieldBytes);
  if (is_one) Serve(request);
}

void ServeBatch(std::string_view bytes) {
  rpc::RequestBatch batch{std::string(bytes)};
  v1::PipelinedRequest request;
  size_t taken = 0;
  while (!batch.empty() && !batch.is_broken()) {
    CHECK_LE(batch.next_bytes(), bytes.size());
    CHECK_LE(++taken, bytes.size());
    if (!batch.TakeNext(request)) continue;
    rpc::VisitPipelined(request, [&](auto method) { Serve(decltype(method)::In(request)); });
    // It may move, with what is left of it.
    rpc::RequestBatch moved = std::move(batch);
    batch = std::move(moved);
  }
}

}  // namespace

void Run(std::string_view bytes) {
  Input input(bytes);
  switch (input.Byte() % 9) {
    case 0:
      return ServeBatch(input.rest());
    case 1:
      return Parse<v1::PutRequest>(input.rest());
    case 2:
      return Parse<v1::GetRequest>(input.rest());
    case 3:
      return Parse<v1::RangeRequest>(input.rest());
    case 4:
      return Parse<v1::DeleteRequest>(input.rest());
    case 5:
      return Parse<v1::CompareAndSwapRequest>(input.rest());
    case 6:
      return Parse<v1::OpenSessionRequest>(input.rest());
    case 7:
      return Parse<v1::CloseSessionRequest>(input.rest());
    default:
      return Parse<v1::OutcomeRequest>(input.rest());
  }
}

}  // namespace decree::fuzz
