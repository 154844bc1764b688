#include "rpc/port/flood_watch.h"

#include <pthread.h>

#include <string>
#include <unordered_map>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/status.h"
#include "rpc/loop/caller_address.h"

namespace decree::rpc {
namespace {

constexpr Duration kTick = Milliseconds(10);
// How long a reading takes, of a processor, before it may be a flood: several times as long as 256 calls at once.
constexpr Duration kSuspicious = Milliseconds(8);
// Whose bytes are read meanwhile is seen in so long.
constexpr Duration kLook = Milliseconds(4);
// Messages come a hundred times as fast as calls; what comes more slowly than this is no message.
constexpr double kMessageBytesPerSecond = 50e6;
// However fast it comes: beyond this a leader may be taken for dead.
constexpr Duration kTooLong = Milliseconds(150);

double InSeconds(Duration time) { return std::chrono::duration<double>(time).count(); }

}  // namespace

FloodWatch::~FloodWatch() { CHECK(!thread_.joinable()) << "a watch is destroyed while it is open"; }

void FloodWatch::Open() {
  CHECK_EQ(pthread_getcpuclockid(pthread_self(), &loop_clock_), 0);
  thread_ = std::thread([this] { Main(); });
}

void FloodWatch::Close() {
  {
    const std::lock_guard lock(mutex_);
    is_closing_ = true;
  }
  closing_.notify_one();
  if (thread_.joinable()) thread_.join();
}

bool FloodWatch::Sleep(Duration time) {
  std::unique_lock lock(mutex_);
  return !closing_.wait_for(lock, time, [this] { return is_closing_; });
}

Duration FloodWatch::LoopTime() const {
  timespec time{};
  clock_gettime(loop_clock_, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

void FloodWatch::Main() {
  uint64_t reading = 0;
  Duration began{};
  while (Sleep(kTick)) {
    if (reading != loop_.reading()) {
      reading = loop_.reading();
      began = LoopTime();
    } else if (EventLoop::IsReading(reading) && LoopTime() - began >= kSuspicious) {
      LookFor(reading, began);
    }
  }
}

void FloodWatch::LookFor(uint64_t reading, Duration began) {
  const std::unordered_map<std::string, uint64_t> before = connections_.BytesTaken();
  const Duration from = LoopTime();
  if (!Sleep(kLook)) return;
  const Duration until = LoopTime();
  const std::unordered_map<std::string, uint64_t> after = connections_.BytesTaken();
  // Whatever it was, the loop is out of it.
  if (loop_.reading() != reading) return;
  for (const auto& [caller, taken] : after) {
    const auto then = before.find(caller);
    if (then == before.end() || taken == then->second) continue;
    const bool is_message =
        static_cast<double>(taken - then->second) > kMessageBytesPerSecond * InSeconds(until - from);
    if (is_message && until - began < kTooLong) continue;
    loop_.EndTurn();
    connections_.ResetFlood(caller, loop_.Now());
    Note(caller);
  }
}

void FloodWatch::Note(const std::string& caller) {
  const std::string problem = StrCat("what a client at ", ClientOf(caller), " sent kept this node from its work; the connection was reset");
  const std::lock_guard lock(mutex_);
  LOG_IF(WARNING, problems_.Note(problem, loop_.Now())) << problem;
}

std::vector<std::string> FloodWatch::Problems() const {
  const std::lock_guard lock(mutex_);
  return problems_.Recent(loop_.Now());
}

}  // namespace decree::rpc
