#include "tests/process/half_messages.h"

#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string_view>
#include <vector>

#include "tests/process/http2.h"

namespace decree::process {
namespace {

constexpr int64_t kFirstWindow = 65'535;
constexpr size_t kPrefixBytes = 5;
constexpr size_t kUnsentMax = 256 << 10;
constexpr size_t kBytesAtOnce = 16'384;  // of a call

uint32_t NumberAt(std::string_view bytes, size_t from, size_t size) {
  uint32_t number = 0;
  for (size_t i = 0; i < size; ++i) number = number << 8 | static_cast<uint8_t>(bytes[from + i]);
  return number;
}

// "Length-Prefixed-Message" of gRPC over HTTP/2: not packed, so many bytes.
std::string BeginningOfMessage(size_t bytes) {
  std::string beginning(kPrefixBytes, '\0');
  for (int i = 0; i < 4; ++i) beginning[1 + i] = static_cast<char>(bytes >> (8 * (3 - i)));
  return beginning;
}

class Connection {
 public:
  Connection(const std::string& address, const std::string& method, const HalfMessages::Size& size)
      : size_(size), fd_(http2::Connect(address)), unsent_(http2::Beginning(method)) {
    for (uint32_t i = 0; i < size.calls; ++i) {
      const uint32_t stream = 2 * i + 1;
      if (i > 0) unsent_ += http2::Call(stream);
      calls_[stream] = {};
    }
  }
  ~Connection() { close(fd_); }

  // Reads and sends what is possible now; returns how many bytes of messages it has put on their way.
  size_t Go() {
    Read();
    size_t begun = 0;
    for (auto& [stream, call] : calls_) {
      if (unsent_.size() > kUnsentMax) break;
      size_t of_call = 0;
      for (size_t sent = 1; sent > 0 && of_call < kBytesAtOnce; of_call += sent) sent = Send(stream, call);
      begun += of_call;
    }
    if (begun == 0 && begun_ > 0) CallOnce();
    begun_ += begun;
    const ssize_t sent = send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent > 0) unsent_.erase(0, static_cast<size_t>(sent));
    is_lost_ = is_lost_ || (sent < 0 && errno != EAGAIN);
    if (is_lost_) calls_.clear();
    return begun;
  }
  bool is_lost() const { return is_lost_; }

 private:
  struct Call {
    int64_t window = kFirstWindow;
    size_t sent = 0;
  };

  // All that may be sent of the messages was sent.
  void CallOnce() {
    const auto is_done = [this](const auto& call) { return call.second.sent >= size_.bytes_sent_max; };
    if (has_called_ || !std::all_of(calls_.begin(), calls_.end(), is_done)) return;
    has_called_ = true;
    for (size_t i = 0; i < size_.calls_behind; ++i)
      unsent_ += http2::Call(static_cast<uint32_t>(2 * (size_.calls + i) + 1));
  }

  size_t Send(uint32_t stream, Call& call) {
    const auto left = static_cast<int64_t>(size_.bytes_sent_max - call.sent);
    const size_t frame_bytes = call.sent == 0 ? std::max(size_.frame_bytes, kPrefixBytes) : size_.frame_bytes;
    const int64_t bytes = std::min({static_cast<int64_t>(frame_bytes), window_, call.window, left});
    if (bytes <= 0 || (call.sent == 0 && bytes < static_cast<int64_t>(kPrefixBytes))) return 0;
    std::string payload = call.sent == 0 ? BeginningOfMessage(size_.message_bytes) : "";
    payload.resize(static_cast<size_t>(bytes), 'x');
    unsent_ += http2::Frame(http2::kData, 0, stream, payload);
    call.sent += payload.size();
    call.window -= bytes;
    window_ -= bytes;
    return payload.size();
  }

  void Read() {
    char bytes[65'536];
    for (ssize_t got = 0; (got = recv(fd_, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0;) {
      unread_.append(bytes, static_cast<size_t>(got));
    }
    while (unread_.size() >= 9) {
      const size_t length = 9 + NumberAt(unread_, 0, 3);
      if (unread_.size() < length) return;
      const std::string frame = unread_.substr(0, length);
      unread_.erase(0, length);
      OnFrame(static_cast<uint8_t>(frame[3]), static_cast<uint8_t>(frame[4]), NumberAt(frame, 5, 4),
              std::string_view(frame).substr(9));
    }
  }

  void OnFrame(uint8_t type, uint8_t flags, uint32_t stream, std::string_view payload) {
    const auto call = calls_.find(stream);
    if (type == http2::kWindowUpdate && stream == 0) window_ += NumberAt(payload, 0, 4);
    if (type == http2::kWindowUpdate && call != calls_.end()) call->second.window += NumberAt(payload, 0, 4);
    if (type == http2::kReset && call != calls_.end()) calls_.erase(call);
    if (flags == http2::kAcknowledges) return;
    if (type == http2::kSettings && size_.calls_behind == 0)
      unsent_ += http2::Frame(http2::kSettings, http2::kAcknowledges, 0, "");
    if (type == http2::kPing) unsent_ += http2::Frame(http2::kPing, http2::kAcknowledges, 0, payload);
  }

  const HalfMessages::Size size_;
  const int fd_;
  std::string unsent_;
  std::string unread_;
  int64_t window_ = kFirstWindow;
  size_t begun_ = 0;
  bool has_called_ = false;
  bool is_lost_ = false;
  std::map<uint32_t, Call> calls_;
};

}  // namespace

HalfMessages::HalfMessages(const std::string& address, const std::string& method, const Size& size) {
  thread_ = std::thread([this, address, method, size] {
    std::vector<std::unique_ptr<Connection>> connections;
    for (size_t i = 0; i < size.connections; ++i) {
      connections.push_back(std::make_unique<Connection>(address, method, size));
    }
    while (!is_over_) {
      for (const auto& connection : connections) bytes_sent_ += connection->Go();
      connections_lost_ = static_cast<size_t>(
          std::count_if(connections.begin(), connections.end(), [](const auto& one) { return one->is_lost(); }));
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  });
}

HalfMessages::~HalfMessages() {
  is_over_ = true;
  thread_.join();
}

}  // namespace decree::process
