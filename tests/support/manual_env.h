#pragma once
// Runs LevelDB's background work when it is told to: whoever holds the environment calls `RunScheduled` after each
// write and before the database is closed. So all happens in one thread, and the same each time.

#include <cstdint>
#include <deque>
#include <utility>

#include <glog/logging.h>
#include <leveldb/env.h>

namespace decree::check {

class ManualEnv final : public leveldb::EnvWrapper {
 public:
  ManualEnv() : EnvWrapper(leveldb::Env::Default()) {}

  void RunScheduled() {
    while (!scheduled_.empty()) {
      const auto [work, argument] = scheduled_.front();
      scheduled_.pop_front();
      work(argument);
    }
  }

  void Schedule(void (*work)(void*), void* argument) override { scheduled_.emplace_back(work, argument); }
  void StartThread(void (*)(void*), void*) override { LOG(FATAL) << "LevelDB starts no threads of its own"; }
  uint64_t NowMicros() override { return 0; }
  void SleepForMicroseconds(int) override {}

 private:
  std::deque<std::pair<void (*)(void*), void*>> scheduled_;
};

}  // namespace decree::check
