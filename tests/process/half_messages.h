#pragma once
// A client that begins many large messages, and ends none. It keeps to HTTP/2's rules, unless it is to make calls
// behind them: then it does not acknowledge how many it may have.

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>

namespace decree::process {

class HalfMessages {
 public:
  struct Size {
    size_t connections = 0;
    size_t calls = 0;             // by each
    size_t message_bytes = 0;     // as announced
    size_t bytes_sent_max = 0;    // of each message
    size_t calls_behind = 0;      // by each connection, in one go when it has sent that
    size_t frame_bytes = 16'384;  // of a message, in each frame but the first
  };
  // Sends what it may until it goes, in a thread of its own.
  HalfMessages(const std::string& address, const std::string& method, const Size& size);
  ~HalfMessages();

  // The bytes of all messages together.
  size_t bytes_sent() const { return bytes_sent_; }
  // How many connections the node has reset.
  size_t connections_lost() const { return connections_lost_; }

 private:
  std::atomic<size_t> bytes_sent_{0};
  std::atomic<size_t> connections_lost_{0};
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

}  // namespace decree::process
