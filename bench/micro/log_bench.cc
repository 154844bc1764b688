// The log on this machine's disk: appends, each durable on return, and recovery; and the checksum under it.

#include <benchmark/benchmark.h>
#include <glog/logging.h>
#include <unistd.h>

#include <filesystem>
#include <memory>
#include <string>

#include "paxos/base/checksum.h"
#include "paxos/fs/posix_file_system.h"
#include "paxos/log/segment_log.h"

namespace decree::paxos {
namespace {

// A fresh directory in the current one, removed at the end: the temporary one may be no disk at all.
class Directory {
 public:
  Directory() {
    std::filesystem::create_directory(path_);
    LogIdentity identity{.cluster = "bench", .node = NodeId(1), .incarnation = Incarnation(1), .founding = {}};
    identity.founding.members = {
        {.id = NodeId(1), .incarnation = Incarnation(), .voter = true, .peer_address = "a:1", .client_address = "a:2"}};
    identity.founding.q1 = identity.founding.q2 = 1;
    const Status formatted = SegmentLog::Format(files_, log(), identity);
    CHECK(formatted.ok()) << formatted;
  }
  ~Directory() { std::filesystem::remove_all(path_); }

  std::unique_ptr<SegmentLog> Open() {
    auto opened = SegmentLog::Open(files_, log(), LogOptions());
    CHECK(opened.ok()) << opened.status();
    return *std::move(opened);
  }

 private:
  std::string log() const { return path_ + "/log"; }

  const std::string path_ = "log_bench." + std::to_string(getpid());
  PosixFileSystem files_;
};

RecordBatch MakeBatch(uint64_t slot, const EntryPtr& entry) {
  const Ballot ballot{.round = 1, .node = NodeId(1)};
  return {.ticket = Ticket(slot), .records = {AcceptedRecord{.slot = Slot(slot), .ballot = ballot, .entry = entry}}};
}

EntryPtr EntryOf(int64_t bytes) {
  return std::make_shared<const Entry>(Entry{.kind = EntryKind::kCommands,
                                             .proposer = {.round = 1, .node = NodeId(1)},
                                             .log_time = {},
                                             .payload = std::string(static_cast<size_t>(bytes), 'x')});
}

// One entry of so many bytes and its sync.
void BM_Append(benchmark::State& state) {
  Directory directory;
  const std::unique_ptr<SegmentLog> log = directory.Open();
  const EntryPtr entry = EntryOf(state.range(0));
  uint64_t slot = 0;
  for (auto step : state) {
    const RecordBatch batch = MakeBatch(++slot, entry);
    log->Append({&batch, 1});
  }
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Append)->Arg(300)->Arg(16 << 10)->Arg(256 << 10)->UseRealTime();

// Opens a log of 1,000 entries of so many bytes.
void BM_Recover(benchmark::State& state) {
  constexpr int kEntries = 1000;
  Directory directory;
  {
    const std::unique_ptr<SegmentLog> log = directory.Open();
    const EntryPtr entry = EntryOf(state.range(0));
    std::vector<RecordBatch> batches;
    for (uint64_t slot = 1; slot <= kEntries; ++slot) batches.push_back(MakeBatch(slot, entry));
    log->Append(batches);
  }
  for (auto step : state) benchmark::DoNotOptimize(directory.Open()->recovered().last_slot);
  state.SetBytesProcessed(state.iterations() * kEntries * state.range(0));
}
BENCHMARK(BM_Recover)->Arg(300)->Arg(16 << 10)->UseRealTime()->Unit(benchmark::kMillisecond);

void BM_Checksum(benchmark::State& state) {
  const std::string bytes(static_cast<size_t>(state.range(0)), 'x');
  for (auto step : state) benchmark::DoNotOptimize(Checksum(bytes, 1));
  state.SetBytesProcessed(state.iterations() * state.range(0));
}
BENCHMARK(BM_Checksum)->Arg(64)->Arg(4 << 10)->Arg(1 << 20);

}  // namespace
}  // namespace decree::paxos

BENCHMARK_MAIN();
