#pragma once
// A client that speaks HTTP/2 and keeps to none of its rules: never acknowledges settings, and sends without end.

#include <cstddef>
#include <string>
#include <thread>

namespace decree::process {

// What it sends again and again.
enum class FloodOf {
  kCalls,           // that say nothing
  kCancelledCalls,  // and are reset at once
  kPings,
  kDataOfNoCall,
  kHeaders,         // of one call, which do not end
  kCallsOfNothing,  // without headers
  kQuestions,       // pings and settings whose answers are not taken
};

// Several connections from 127.0.0.2 that send for so many seconds; what is cut off comes again. One thread serves them
// all, for it is the node that they are to keep busy, and not the machine.
class Flood {
 public:
  Flood(const std::string& address, const std::string& method, FloodOf what, size_t connections, double seconds);
  ~Flood() { Wait(); }
  void Wait();

 private:
  std::thread thread_;
};

}  // namespace decree::process
