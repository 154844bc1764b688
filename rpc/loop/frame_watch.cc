#include "rpc/loop/frame_watch.h"

#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

namespace decree::rpc {
namespace {

// RFC 9113, section 6.
enum Type : uint8_t { kHeaders = 1, kSettings = 4, kPing = 6, kContinuation = 9 };
constexpr uint8_t kIsAnswer = 1;      // a flag of settings and pings
constexpr uint8_t kHasPriority = 32;  // a flag of headers
constexpr uint8_t kPriorityBytes = 5;
constexpr uint32_t kStreamMask = 0x7fff'ffff;
// An answer to settings has so many bytes; that to a ping has more.
constexpr uint64_t kAnswerBytes = 9;

constexpr std::string_view kTakesNothing = "it asks without end, and takes no answers";
constexpr std::string_view kTooLarge = "its headers are larger than those of any client of gRPC";

uint32_t NumberOf(const uint8_t* bytes, size_t count) {
  uint32_t number = 0;
  for (size_t i = 0; i < count; ++i) number = number << 8 | bytes[i];
  return number;
}

}  // namespace

std::string_view FrameWatch::Follow(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    size_t followed = 1;
    std::string_view fault;
    if (left_ > 0) {
      followed = std::min<size_t>(left_, bytes.size());
      left_ -= static_cast<uint32_t>(followed);
      if (is_headers_) fault = OnHeaders(bytes.substr(0, followed));
    } else {
      frame_[begun_++] = static_cast<uint8_t>(bytes.front());
      if (begun_ == kFrameHeaderBytes) fault = OnFrame(fd);
    }
    if (!fault.empty()) return fault;
    bytes.remove_prefix(followed);
  }
  return {};
}

std::string_view FrameWatch::OnFrame(int fd) {
  begun_ = 0;
  left_ = NumberOf(frame_.data(), 3);
  const uint8_t type = frame_[3];
  const uint8_t flags = frame_[4];
  const uint32_t stream = NumberOf(&frame_[5], 4) & kStreamMask;
  is_headers_ = type == kHeaders || type == kContinuation;
  if (type == kHeaders) {
    const bool has_priority = (flags & kHasPriority) != 0;
    if (has_priority && left_ < kPriorityBytes) return "its headers have no room for the priority they announce";
    if (stream <= stream_) return "it sends headers behind its messages";
    stream_ = stream;
    ++calls_;
    header_bytes_ = 0;
    fields_ = {};
    priority_bytes_left_ = has_priority ? kPriorityBytes : 0;
  }
  if (is_headers_) header_bytes_ += left_;
  if (header_bytes_ > kHeaderBytesMax) return kTooLarge;
  const bool is_question = (type == kSettings || type == kPing) && (flags & kIsAnswer) == 0;
  untaken_ += is_question ? kUntakenCallsMax / kUntakenMax : type == kHeaders ? 1 : 0;
  return untaken_ > kUntakenCallsMax && !HasTakenAnswers(fd) ? kTakesNothing : std::string_view();
}

std::string_view FrameWatch::OnHeaders(std::string_view bytes) {
  const size_t skipped = std::min<size_t>(priority_bytes_left_, bytes.size());
  priority_bytes_left_ -= static_cast<uint8_t>(skipped);
  fields_.Follow(bytes.substr(skipped));
  return fields_.count() > kFieldsMax ? kTooLarge : std::string_view();
}

// Looks whether the other end has taken as much as the answers since the last look, and begins to count anew.
bool FrameWatch::HasTakenAnswers(int fd) {
  untaken_ = 0;
  tcp_info info{};
  socklen_t size = sizeof(info);
  // Of another kind of socket nothing is known.
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) return true;
  const uint64_t before = std::exchange(taken_, info.tcpi_bytes_acked);
  return taken_ >= before + kAnswerBytes * kUntakenMax;
}

}  // namespace decree::rpc
