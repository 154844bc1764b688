#include "rpc/port/flood_watch.h"

#include <pthread.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include <glog/logging.h>

#include "rpc/loop/caller_address.h"

namespace decree::rpc {
namespace {

// How much processor time of the loop lies between two ticks: less than gRPC takes for what it reads of a flood at
// once.
constexpr Duration kTick = Milliseconds(4);
// A reading that so many ticks find is suspicious: it takes several times as long as 256 calls at once.
constexpr int kTicksSuspicious = 3;
// Messages come a hundred times as fast as calls; what comes more slowly than this is no message.
constexpr double kMessageBytesPerSecond = 50e6;
// A reading may not take longer, however fast the bytes come: a leader would be taken for dead.
constexpr int kTicksTooLong = Milliseconds(150) / kTick;

int Signal() { return SIGRTMIN + 4; }

// The watches that are open, by their number: a signal may come for one that is closed.
std::array<std::atomic<FloodWatch*>, 16> watches;

Duration TimeOf(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

double InSeconds(Duration time) { return std::chrono::duration<double>(time).count(); }

Status CannotWatch() {
  return absl::UnavailableError(StrCat("no timer can be had that watches for floods: ", std::strerror(errno)));
}

}  // namespace

FloodWatch::FloodWatch(EventLoop& loop, Connections& connections) : loop_(loop), connections_(connections) {
  CHECK_EQ(sem_init(&woken_, 0, 0), 0);
}

FloodWatch::~FloodWatch() {
  CHECK(!thread_.joinable()) << "a watch is destroyed while it is open";
  sem_destroy(&woken_);
}

Status FloodWatch::Open() {
  CHECK_EQ(pthread_getcpuclockid(pthread_self(), &loop_clock_), 0);
  struct sigaction action {};
  action.sa_sigaction = &FloodWatch::OnSignal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  if (sigaction(Signal(), &action, nullptr) != 0) return CannotWatch();
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD_ID;
  event.sigev_signo = Signal();
  event.sigev_value.sival_int = TakeNumber();
  event._sigev_un._tid = gettid();
  if (timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timer_) != 0) {
    const Status error = CannotWatch();
    watches[number_] = nullptr;
    return error;
  }
  const timespec tick{.tv_sec = 0, .tv_nsec = kTick.count()};
  const itimerspec ticks{.it_interval = tick, .it_value = tick};
  CHECK_EQ(timer_settime(timer_, 0, &ticks, nullptr), 0);
  thread_ = std::thread([this] { Main(); });
  return OkStatus();
}

int FloodWatch::TakeNumber() {
  for (number_ = 0; number_ < static_cast<int>(watches.size()); ++number_) {
    FloodWatch* nobody = nullptr;
    if (watches[number_].compare_exchange_strong(nobody, this)) return number_;
  }
  LOG(FATAL) << "too many ports in a process";
}

void FloodWatch::Close() {
  if (!thread_.joinable()) return;
  timer_delete(timer_);
  watches[number_] = nullptr;
  is_closing_ = true;
  sem_post(&woken_);
  thread_.join();
}

// ---- In the loop's thread ----

void FloodWatch::OnSignal(int, siginfo_t* info, void*) {
  FloodWatch* const watch = watches[info->si_value.sival_int];
  if (watch != nullptr) watch->OnTick();
}

// Does nothing but what a signal handler may do.
void FloodWatch::OnTick() {
  const uint64_t reading = loop_.reading();
  if (!EventLoop::IsReading(reading)) return;
  if (std::exchange(last_reading_, reading) != reading) ticks_at_it_.store(0, std::memory_order_relaxed);
  if (ticks_at_it_.fetch_add(1, std::memory_order_relaxed) + 1 < kTicksSuspicious) return;
  const int error = errno;
  sem_post(&woken_);
  errno = error;
}

// ---- In the watch's thread ----

void FloodWatch::Main() {
  while (!is_closing_) {
    if (sem_wait(&woken_) == 0 && !is_closing_) LookForFlood();
  }
}

void FloodWatch::LookForFlood() {
  Look now{.reading = loop_.reading(), .work = TimeOf(loop_clock_), .taken = connections_.BytesTaken()};
  if (!EventLoop::IsReading(now.reading)) return;
  const Look before = std::exchange(last_look_, now);
  // The first look at a reading finds nothing to compare with, and after the last the loop is out of it.
  if (before.reading != now.reading || loop_.reading() != now.reading) return;
  const double seconds = InSeconds(now.work - before.work);
  for (const auto& [caller, taken] : now.taken) {
    const auto then = before.taken.find(caller);
    if (then == before.taken.end() || taken == then->second) continue;
    const bool is_message = static_cast<double>(taken - then->second) > kMessageBytesPerSecond * seconds;
    if (is_message && ticks_at_it_.load(std::memory_order_relaxed) < kTicksTooLong) continue;
    loop_.EndTurn();
    connections_.ResetFlood(caller, loop_.Now());
    Note(caller);
  }
}

void FloodWatch::Note(const std::string& caller) {
  const std::string problem =
      StrCat("what a client at ", ClientOf(caller), " sent kept this node from its work; the connection was reset");
  const std::lock_guard lock(mutex_);
  LOG_IF(WARNING, problems_.Note(problem, loop_.Now())) << problem;
}

std::vector<std::string> FloodWatch::Problems() const {
  const std::lock_guard lock(mutex_);
  return problems_.Recent(loop_.Now());
}

}  // namespace decree::rpc
