#pragma once
// Follows the HTTP/2 frames that come by a connection, for what gRPC 1.51 does not bound itself.
//
// gRPC keeps a block of headers until its end, which may never come; it limits what they hold only when the other end
// has acknowledged its settings; and it answers some frames at once, whether or not its answers are ever taken. An
// honest client's headers have a dozen fields and some hundred bytes, and it takes what it is sent.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "rpc/loop/header_fields.h"

namespace decree::rpc {

// Of one connection. Not thread-safe.
class FrameWatch {
 public:
  // The bytes of a call's headers, as they are sent.
  static constexpr size_t kHeaderBytesMax = 4 << 10;
  // Each takes some 200 bytes of memory, and may be sent as one.
  static constexpr size_t kFieldsMax = 48;
  // How many pings and settings may come while no answer is taken; four times as many calls, for one that was ended
  // by its caller has none.
  static constexpr size_t kUntakenMax = 256;
  static constexpr size_t kUntakenCallsMax = 4 * kUntakenMax;

  // These bytes have come next by the TCP socket. What is wrong with them; empty if nothing is. What gRPC refuses by
  // itself is not found.
  std::string_view Follow(int fd, std::string_view bytes);
  // How many calls have begun, by the headers that have come.
  uint32_t calls() const { return calls_; }

 private:
  // RFC 9113, 3.4 and 4.1.
  static constexpr size_t kPrefaceBytes = 24;
  static constexpr size_t kFrameHeaderBytes = 9;

  std::string_view OnFrame(int fd);
  std::string_view OnHeaders(std::string_view bytes);
  bool HasTakenAnswers(int fd);

  uint64_t taken_ = 0;             // bytes, when that was last looked at
  HeaderFields fields_;            // of the call that has come last
  uint32_t left_ = kPrefaceBytes;  // bytes until the next frame begins
  uint32_t header_bytes_ = 0;      // of the call that has come last
  uint32_t stream_ = 0;            // of the same
  uint32_t calls_ = 0;
  uint32_t untaken_ = 0;             // since that look: four for each ping and settings, one for each call
  bool is_headers_ = false;          // the frame
  uint8_t priority_bytes_left_ = 0;  // before the headers
  uint8_t begun_ = 0;                // bytes of the next frame's header
  std::array<uint8_t, kFrameHeaderBytes> frame_{};
};

}  // namespace decree::rpc
