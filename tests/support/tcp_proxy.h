#pragma once
// A link between processes on loopback, to be made slow or to be cut: takes connections on a port of its own and
// passes their bytes on to another.
//
// What goes towards that port shares one rate and one short queue, first come, first served, as the
// connections of two machines share the link between them; once the queue is full the senders wait. What
// comes back passes at once.
//
// Where the link is cut nothing passes, and the connections stay: as if the packets were lost.

#include <atomic>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <thread>

namespace decree::check {

// The ports of a connection to a proxy.
struct Ports {
  uint16_t from;
  uint16_t to;  // the proxy's
};

class TcpProxy {
 public:
  // Tells who has made a connection: 0 to 63, or nothing if it has gone. It may take its time, on a thread of its own.
  using Whose = std::function<std::optional<uint32_t>(const Ports&)>;

  // Takes connections from now on, and passes everything on at once.
  TcpProxy() : TcpProxy([](const Ports&) { return 0; }) {}
  explicit TcpProxy(Whose whose);
  ~TcpProxy();
  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  uint16_t port() const { return port_; }
  // The port to which connections lead. Set it before the first.
  void LeadTo(uint16_t port) { target_port_ = port; }
  // Limits the rate towards the target from now on; 0 is no limit.
  void SetRate(uint64_t bytes_per_second) { rate_ = bytes_per_second; }
  // Whether what these send towards the target is held up, and what comes back to them. Sets of bits.
  void HoldFrom(uint64_t these) { held_from_ = these; }
  void HoldTo(uint64_t these) { held_to_ = these; }
  // Bytes that have gone towards the target.
  uint64_t passed() const { return passed_; }

 private:
  struct Connection;

  void Run();
  void Accept();
  void TakeIn();
  void LetOut();
  int Wait();
  bool MayTakeIn(Connection& connection) { return MayPass(connection, held_from_); }
  bool MayPassBack(Connection& connection) { return MayPass(connection, held_to_); }
  bool MayPass(Connection& connection, uint64_t held);
  static bool PassBack(Connection& connection);

  const Whose whose_;
  std::atomic<uint64_t> held_from_{0};
  std::atomic<uint64_t> held_to_{0};
  std::atomic<uint16_t> target_port_{0};
  std::atomic<uint64_t> rate_{0};
  std::atomic<uint64_t> passed_{0};
  std::atomic<bool> stops_{false};
  int listener_ = -1;
  uint16_t port_ = 0;

  // Used by the thread alone.
  struct Chunk;
  std::list<Connection> connections_;
  std::list<Chunk> queue_;
  uint64_t queued_ = 0;
  double allowance_ = 0;  // bytes that may leave now
  std::thread thread_;
};

}  // namespace decree::check
