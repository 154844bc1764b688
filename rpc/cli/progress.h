#pragma once
// How far a command has come: a line on the terminal that is drawn again a few times a second.

#include <chrono>
#include <cstdint>

namespace decree::rpc::cli {

class Progress {
 public:
  // `what` is counted, such as "lines". With a total of bytes there is a bar.
  explicit Progress(const char* what, uint64_t bytes_total = 0);
  // Ends the line.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void Update(uint64_t count, uint64_t bytes, bool is_last);

 private:
  const char* const what_;
  const uint64_t bytes_total_;
  const bool is_shown_;
  bool was_drawn_ = false;
  std::chrono::steady_clock::time_point drawn_at_;
};

}  // namespace decree::rpc::cli
