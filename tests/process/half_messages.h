#pragma once
// A client that keeps to HTTP/2's rules, begins many large messages, and ends none.

#include <atomic>
#include <cstddef>
#include <string>
#include <thread>

namespace decree::process {

class HalfMessages {
 public:
  struct Size {
    size_t connections = 0;
    size_t calls = 0;           // by each
    size_t message_bytes = 0;   // as announced
    size_t bytes_sent_max = 0;  // of each message
  };
  // Sends what it may until it goes, in a thread of its own.
  HalfMessages(const std::string& address, const std::string& method, const Size& size);
  ~HalfMessages();

  // The bytes of all messages together.
  size_t bytes_sent() const { return bytes_sent_; }

 private:
  std::atomic<size_t> bytes_sent_{0};
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

}  // namespace decree::process
