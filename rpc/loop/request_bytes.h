#pragma once
// Requests out of the bytes that a client has sent. A byte may make a message hold many: a field that is not known here takes
// two on the wire and sixteen in memory, or more. So a request may have only so many fields.

#include <string_view>

#include <google/protobuf/message.h>

namespace decree::rpc {

// Those of our clients have a dozen, those of messages within counted in.
inline constexpr int kRequestFieldsMax = 64;

// False if the bytes are no such message, or have more fields than that; then `request` holds little.
bool ParseRequest(std::string_view bytes, google::protobuf::Message& request);

}  // namespace decree::rpc
