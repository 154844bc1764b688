#pragma once
// Messages out of the bytes that somebody else has sent. A few bytes may make a message hold many: an empty message
// within, or a field that is not known here, takes two on the wire and sixteen to a hundred in memory. So there may be
// only so many fields.

#include <string_view>

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message.h>

namespace decree::rpc {

// Those of our clients have a dozen, those of messages within counted in.
inline constexpr int kRequestFieldsMax = 64;

// Whether a message of this type, with those within, has at most so many; false also if it cannot be read, or has
// groups.
bool HasFieldsWithin(int fields_max, const google::protobuf::Descriptor& type,
                     google::protobuf::io::ZeroCopyInputStream& bytes);

// False if the bytes are no such message, or have more fields than that; then `request` holds little.
bool ParseRequest(std::string_view bytes, google::protobuf::Message& request);

}  // namespace decree::rpc
