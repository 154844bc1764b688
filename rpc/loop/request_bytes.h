#pragma once
// Parses bytes that somebody else has sent into messages. A few bytes may make a message hold many: an empty message
// within, or a field that is not known here, takes two on the wire and sixteen to a hundred in memory. So the number
// of fields is limited.

#include <string>
#include <string_view>

#include <google/protobuf/io/zero_copy_stream.h>
#include <google/protobuf/message.h>

namespace decree::rpc {

// Requests of our clients have a dozen fields, those of messages within counted in.
inline constexpr int kRequestFieldsMax = 64;

// Whether a message of this type, with those within, has at most so many fields. False also if it cannot be read, or
// has groups.
bool HasFieldsWithin(int fields_max, const google::protobuf::Descriptor& type,
                     google::protobuf::io::ZeroCopyInputStream& bytes);

// False if the bytes are no such message, or have more than kRequestFieldsMax fields; then `request` holds little.
bool ParseRequest(std::string_view bytes, google::protobuf::Message& request);

// What to tell who has sent something else. `name` is that of the request's type.
std::string UnreadableRequest(const std::string& name, size_t bytes_max);

}  // namespace decree::rpc
