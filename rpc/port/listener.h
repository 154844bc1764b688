#pragma once
// The sockets at which a port is called, and a thread that waits at them. Callers are handed over in the loop, a few at
// a time with a pause between: a connection costs gRPC a fifth of a millisecond, and a flood of them must not cost the
// loop its other work. The others wait in the kernel.

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <grpcpp/alarm.h>

#include "paxos/base/status.h"
#include "rpc/loop/event_loop.h"

namespace decree::rpc {

class Listener final : private Event {
 public:
  struct Caller {
    int fd;               // whoever takes the caller closes it
    std::string address;  // as gRPC names it: ipv4:1.2.3.4:5
  };
  struct Actions {
    std::function<void(const Caller&)> on_caller;
    // Nobody can be let in now; the listener tries again. `text` says why.
    std::function<void(const std::string& text)> on_trouble;
  };

  explicit Listener(EventLoop& loop) : loop_(loop) {}
  // It must be closed, or never have been opened.
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Takes the address, HOST:PORT, with all that the host stands for. Callers wait from now on.
  Status Bind(const std::string& address);
  // The port that was taken, also where 0 was asked for.
  uint16_t port() const { return port_; }
  // Begins to let callers in.
  void Open(Actions actions);
  // Lets no more callers in. The loop has yet to see its end.
  void Close();

 private:
  void Main();
  // Accepts the callers that wait at the socket. False if nobody can be let in.
  bool Accept(int socket);
  // Waits until the loop has taken the callers. False if that was the last time.
  bool HandOver();
  void OnEvent(bool ok) override;

  EventLoop& loop_;
  std::vector<int> sockets_;
  int wake_ = -1;
  uint16_t port_ = 0;
  Actions actions_;

  std::mutex mutex_;
  std::condition_variable taken_;
  std::vector<Caller> callers_;  // that have not been handed over
  std::string trouble_;
  bool is_closing_ = false;
  // The event by which callers are handed over: the loop expects it, it is on its way, or it will not come any more.
  enum class Bell { kExpected, kRung, kOver };
  Bell bell_ = Bell::kOver;
  grpc::Alarm alarm_;
  std::thread thread_;
};

}  // namespace decree::rpc
