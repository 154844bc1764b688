#pragma once
// As much of HTTP/2 as a client needs that breaks its rules (RFC 9113, RFC 7541).

#include <cstdint>
#include <string>
#include <string_view>

namespace decree::process::http2 {

enum FrameType : uint8_t {
  kData = 0,
  kHeaders = 1,
  kReset = 3,
  kSettings = 4,
  kPing = 6,
  kWindowUpdate = 8,
  kContinuation = 9
};
inline constexpr uint8_t kAcknowledges = 1;
inline constexpr uint8_t kEndHeaders = 4;

std::string Frame(FrameType type, uint8_t flags, uint32_t stream, std::string_view payload);

// What a connection begins with, up to the headers of its first call, stream 1, to a method such as
// "/decree.v1.KV/Put".
std::string Beginning(const std::string& method);
// Another call to that method.
std::string Call(uint32_t stream);

// A connection to "127.0.0.1:PORT"; `from` may be another address of this machine, such as "127.0.0.2".
int Connect(const std::string& address, const std::string& from = "127.0.0.1");

}  // namespace decree::process::http2
