#include "rpc/peer/peer_frame.h"

#include <utility>

#include <glog/logging.h>

namespace decree::rpc {
namespace {

grpc::Slice Encode(const v1::PeerFrame& frame) {
  grpc::Slice element(frame.ByteSizeLong());
  // Nobody else has the slice yet, so its bytes may be written.
  CHECK(frame.SerializeToArray(const_cast<uint8_t*>(element.begin()), static_cast<int>(element.size())));
  return element;
}

}  // namespace

grpc::Slice EncodeElement(v1::PeerMessage message) {
  v1::PeerFrame frame;
  *frame.mutable_batch()->add_messages() = std::move(message);
  return Encode(frame);
}

grpc::Slice EncodeElement(v1::ForwardedWrite write) {
  v1::PeerFrame frame;
  *frame.mutable_forwards()->add_writes() = std::move(write);
  return Encode(frame);
}

grpc::Slice EncodeElement(v1::PeerHello hello) {
  v1::PeerFrame frame;
  *frame.mutable_hello() = std::move(hello);
  return Encode(frame);
}

grpc::ByteBuffer MakeFrame(std::span<const grpc::Slice> elements) { return {elements.data(), elements.size()}; }

}  // namespace decree::rpc
