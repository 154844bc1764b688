#include "bench/load.h"

#include <deque>
#include <functional>
#include <map>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::bench {
namespace {

using ::testing::AllOf;
using ::testing::Ge;
using ::testing::HasSubstr;
using ::testing::Le;

// A store in memory that answers after `delay`, or as `fail` says.
class FakeTarget final : public Target {
 public:
  Duration delay = Milliseconds(1);
  std::function<Status()> fail = [] { return OkStatus(); };
  std::map<std::string, uint64_t> revisions;
  std::map<Kind, uint64_t> seen;
  size_t most_in_flight = 0;

  Status Connect(Duration) override { return OkStatus(); }

  void Start(const Request& request, Waiter& waiter) override {
    ++seen[request.kind];
    Reply reply{.status = fail()};
    uint64_t& revision = revisions[request.key];
    reply.found = revision != 0;
    reply.swapped = request.kind == Kind::kSwap && revision == request.expected_revision;
    if (reply.status.ok() && (request.kind == Kind::kPut || reply.swapped)) revision = ++revision_;
    reply.revision = revision;
    replies_.push_back({clock_.Now() + delay, &waiter, reply});
    most_in_flight = std::max(most_in_flight, replies_.size());
  }

  void Poll(Time until) override {
    const Time next = replies_.empty() ? until : std::min(until, replies_.front().at);
    if (next > clock_.Now()) std::this_thread::sleep_for(next - clock_.Now());
    while (!replies_.empty() && replies_.front().at <= clock_.Now()) {
      const Pending pending = replies_.front();
      replies_.pop_front();
      pending.waiter->OnReply(pending.reply);
    }
  }

 private:
  struct Pending {
    Time at;
    Waiter* waiter;
    Reply reply;
  };

  const PosixClock clock_;
  std::deque<Pending> replies_;
  uint64_t revision_ = 0;
};

class LoadTest : public ::testing::Test, public LoadObserver {
 protected:
  LoadResult Run(const char* mix, LoadOptions options = {}) {
    options.warm_up = Milliseconds(20);
    options.duration = Milliseconds(300);
    WorkloadOptions workload_options;
    workload_options.keys = 50;
    EXPECT_TRUE(workload_options.SetMix(mix).ok());
    Workload workload(workload_options, 1);
    Load load(target_, workload, options, *this);
    const Status preloaded = preload_ ? load.Preload() : OkStatus();
    EXPECT_TRUE(preloaded.ok()) << preloaded;
    return load.Run();
  }

  void OnPreloaded(uint64_t written, uint64_t) override { written_ = written; }
  void OnSecond(const Second& second) override { told_ += second.done; }

  FakeTarget target_;
  bool preload_ = false;
  uint64_t written_ = 0;
  uint64_t told_ = 0;
};

TEST_F(LoadTest, AClosedLoopKeepsSoManyInFlight) {
  const LoadResult result = Run("get=1", {.in_flight = 7});
  EXPECT_EQ(target_.most_in_flight, 7u);
  EXPECT_GT(result.All().count(), 7u);
  EXPECT_GE(result.All().Percentile(1), Milliseconds(1));
  EXPECT_EQ(result.error_count(), 0u);
  EXPECT_EQ(result.not_found, result.All().count());
  // What was answered in the warm-up is told of, and not measured.
  EXPECT_GT(told_, result.All().count());
}

TEST_F(LoadTest, PreloadWritesEveryKeyOnceThoughSomeFail) {
  preload_ = true;
  int calls = 0;
  target_.fail = [&calls]() -> Status { return ++calls % 5 == 0 ? absl::UnavailableError("busy") : OkStatus(); };
  Run("stale-get=1");
  EXPECT_EQ(written_, 50u);
  EXPECT_EQ(target_.revisions.size(), 50u);
  EXPECT_EQ(target_.seen[Kind::kPut], 62u);  // the fifth part of which failed
}

TEST_F(LoadTest, ErrorsAreCountedByCodeAndAreNoLatencies) {
  target_.fail = [] { return absl::ResourceExhaustedError("full"); };
  const LoadResult result = Run("put=1", {.in_flight = 4});
  EXPECT_EQ(result.All().count(), 0u);
  EXPECT_GT(result.errors.at("RESOURCE_EXHAUSTED"), 0u);
  EXPECT_THAT(result.first_error, HasSubstr("full"));
  EXPECT_EQ(result.longest_gap, Milliseconds(300));
  // A target that fails at once is not asked without a pause.
  EXPECT_LE(result.error_count(), 4u * 31);
}

TEST_F(LoadTest, ModificationsAndSwapsKnowTheRevisionTheySwapOn) {
  preload_ = true;
  for (const char* const mix : {"modify=1", "swap=1"}) {
    target_.revisions.clear();
    const LoadResult result = Run(mix, {.in_flight = 1});
    EXPECT_GT(result.All().count(), 0u) << mix;
    EXPECT_EQ(result.swaps_lost, 0u) << mix;
  }
  EXPECT_GE(target_.seen[Kind::kSwap], target_.seen[Kind::kGet]);
}

TEST_F(LoadTest, ASwapThatIsLostLearnsTheRevision) {
  const LoadResult result = Run("swap=1,put=1", {.in_flight = 8});
  const auto swaps = result.latency[static_cast<size_t>(Kind::kSwap)].count();
  EXPECT_GT(result.swaps_lost, 0u);
  EXPECT_LT(result.swaps_lost, swaps);
}

TEST_F(LoadTest, AnOpenLoopKeepsItsRate) {
  const LoadResult result = Run("get=1", {.in_flight = 50, .rate = 2000});
  // 600 expected, standard deviation 25.
  EXPECT_THAT(result.All().count(), AllOf(Ge(300u), Le(750u)));
}

// One request at a time for 20 ms each, and a thousand a second are due: those that could not be sent
// waited ever longer.
TEST_F(LoadTest, AnOpenLoopCountsFromWhenARequestWasDue) {
  target_.delay = Milliseconds(20);
  const LoadResult result = Run("get=1", {.in_flight = 1, .rate = 1000});
  EXPECT_GT(result.All().Percentile(50), Milliseconds(100));
  EXPECT_GT(result.All().max(), Milliseconds(200));
}

TEST(LoadOptionsTest, RefusesWhatMakesNoSense) {
  EXPECT_THAT(LoadOptions{.in_flight = 0}.Validate().ToString(), HasSubstr("in-flight is 0"));
  EXPECT_THAT(LoadOptions{.rate = -1}.Validate().ToString(), HasSubstr("rate is -1"));
  EXPECT_THAT(LoadOptions{.duration = {}}.Validate().ToString(), HasSubstr("duration"));
}

}  // namespace
}  // namespace decree::bench
