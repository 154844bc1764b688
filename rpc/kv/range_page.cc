#include "rpc/kv/range_page.h"

#include <string>
#include <utility>

#include "rpc/kv/answers.h"

namespace decree::rpc {
namespace {

// What a key takes in a message, beside the bytes of key and value.
constexpr size_t kKeyOverheadBytes = 32;

}  // namespace

Status FillPage(paxos::NodeId node, const kv::View& view, const v1::RangeRequest& request,
                v1::RangeResponse& response) {
  const kv::State& state = view.state();
  const uint64_t revision = request.revision() == 0 ? state.revision : request.revision();
  FillHeader(node, state.revision, state.epoch, *response.mutable_header());
  response.set_revision(revision);
  response.set_read(request.read());

  size_t keys_left = request.limit() == 0 ? SIZE_MAX : request.limit();
  size_t bytes = 0;
  const auto take = [&](std::string_view key, const kv::KeyRecord& record) {
    bytes += key.size() + record.value.size() + kKeyOverheadBytes;
    if (keys_left == 0 || (bytes > kPageBytes && response.kvs_size() > 0)) return false;
    --keys_left;
    *response.add_kvs() = kv::ToKeyValue(key, record);
    return true;
  };
  StatusOr<std::optional<std::string>> next =
      view.Scan({.first = request.first(), .end = request.end()}, revision, take);
  if (!next.ok()) return next.status();
  if (next->has_value()) response.set_next(**std::move(next));
  return OkStatus();
}

Failure PageFailure(const Status& status, v1::ReadMode read) {
  const std::string text(status.message());
  if (absl::IsOutOfRange(status) && read == v1::READ_MODE_STALE) {
    return NotExecuted(grpc::StatusCode::UNAVAILABLE, text + " here; this node may be behind");
  }
  return NotExecuted(ToGrpc(status).error_code(), text);
}

}  // namespace decree::rpc
