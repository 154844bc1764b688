#include "rpc/loop/request_bytes.h"

#include <cstdint>
#include <memory>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format.h>

#include "paxos/base/status.h"

namespace decree::rpc {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

// So few bytes hold few fields.
constexpr size_t kFewBytes = 2 * kRequestFieldsMax;

// Takes the fields of a message from `left`. False if it has more; also if it cannot be read, or has groups, which
// count as one field whatever is in them.
bool CountFields(const Descriptor& type, CodedInputStream& input, int& left) {
  while (const uint32_t tag = input.ReadTag()) {
    if (--left < 0) return false;
    const auto wire_type = WireFormatLite::GetTagWireType(tag);
    if (wire_type == WireFormatLite::WIRETYPE_START_GROUP) return false;
    const FieldDescriptor* const field = wire_type == WireFormatLite::WIRETYPE_LENGTH_DELIMITED
                                             ? type.FindFieldByNumber(WireFormatLite::GetTagFieldNumber(tag))
                                             : nullptr;
    if (field == nullptr || field->cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) {
      if (!WireFormatLite::SkipField(&input, tag)) return false;
      continue;
    }
    uint32_t size = 0;
    if (!input.ReadVarint32(&size)) return false;
    const int outside = input.BytesUntilLimit();
    if (outside >= 0 && size > static_cast<uint32_t>(outside)) return false;
    const CodedInputStream::Limit outer = input.PushLimit(static_cast<int>(size));
    if (!CountFields(*field->message_type(), input, left)) return false;
    input.PopLimit(outer);
  }
  return true;
}

}  // namespace

bool HasFieldsWithin(int fields_max, const Descriptor& type, google::protobuf::io::ZeroCopyInputStream& bytes) {
  CodedInputStream input(&bytes);
  return CountFields(type, input, fields_max);
}

bool ParseRequest(std::string_view bytes, google::protobuf::Message& request) {
  if (bytes.size() > kFewBytes) {
    CodedInputStream input(reinterpret_cast<const uint8_t*>(bytes.data()), static_cast<int>(bytes.size()));
    int left = kRequestFieldsMax;
    if (!CountFields(*request.GetDescriptor(), input, left)) return false;
  }
  if (request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) return true;
  // A message within that claims to go on behind the end may have made room for as much as it claims.
  const std::unique_ptr<google::protobuf::Message> empty(request.New());
  request.GetReflection()->Swap(&request, empty.get());
  return false;
}

std::string UnreadableRequest(const std::string& name, size_t bytes_max) {
  return StrCat("what was sent is no ", name, " of at most ", kRequestFieldsMax, " fields and ", bytes_max, " bytes");
}

}  // namespace decree::rpc
