#include "bench/load.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace decree::bench {
namespace {

constexpr Duration kRest = Milliseconds(10);  // after an error: a dead target answers quickly
constexpr Duration kPreloadPatience = Seconds(30);
constexpr size_t kInFlightMax = 100'000;
constexpr double kRateMax = 10'000'000;

}  // namespace

Status LoadOptions::Validate() const {
  if (in_flight < 1 || in_flight > kInFlightMax) {
    return absl::InvalidArgumentError(StrCat("in-flight is ", in_flight, "; it must be from 1 to ", kInFlightMax));
  }
  if (!(rate >= 0 && rate <= kRateMax)) {
    return absl::InvalidArgumentError(StrCat("rate is ", rate, "; it must be from 0 to ", kRateMax));
  }
  if (duration <= Duration::zero()) return absl::InvalidArgumentError("duration must be above 0");
  return OkStatus();
}

Histogram LoadResult::All() const {
  Histogram all;
  for (const Histogram& one : latency) all.Add(one);
  return all;
}

uint64_t LoadResult::error_count() const {
  uint64_t count = 0;
  for (const auto& [code, times] : errors) count += times;
  return count;
}

// ---- Slot ----

// One request in flight, of one kind; a modification is two, one after the other.
class Load::Slot final : public Waiter {
 public:
  explicit Slot(Load& load) : load_(load) {}

  void Start(Workload::Request request, Time due) {
    request_ = request;
    due_ = due;
    switch (request.kind) {
      case Kind::kInsert:
      case Kind::kPut:
        return Send(Kind::kPut, 0);
      case Kind::kModify:
        return Send(Kind::kGet, 0);
      case Kind::kSwap:
        return Send(Kind::kSwap, load_.RevisionOf(request.key));
      default:
        return Send(request.kind, 0);
    }
  }

  void OnReply(const Reply& reply) override {
    if (request_.kind == Kind::kModify && sent_ == Kind::kGet && reply.status.ok()) {
      return Send(Kind::kSwap, reply.revision);
    }
    load_.OnDone(*this, reply, load_.clock_.Now());
  }

  const Workload::Request& request() const { return request_; }
  Time due() const { return due_; }

 private:
  void Send(Kind kind, uint64_t expected_revision) {
    sent_ = kind;
    const bool has_value = kind == Kind::kPut || kind == Kind::kSwap;
    load_.target_.Start({.kind = kind,
                         .key = load_.workload_.KeyAt(request_.key),
                         .value = has_value ? load_.workload_.NextValue() : std::string_view(),
                         .expected_revision = expected_revision},
                        *this);
  }

  Load& load_;
  Workload::Request request_{};
  Kind sent_ = Kind::kGet;
  Time due_;
};

// ---- Load ----

Load::Load(Target& target, Workload& workload, const LoadOptions& options, LoadObserver& observer)
    : target_(target), workload_(workload), options_(options), observer_(observer), random_(options.seed) {
  for (size_t i = 0; i < options_.in_flight; ++i) {
    slots_.push_back(std::make_unique<Slot>(*this));
    free_.push_back(slots_.back().get());
  }
}

Load::~Load() { AwaitIdle(); }

Status Load::Preload() {
  phase_ = Phase::kPreload;
  last_success_ = clock_.Now();
  const uint64_t keys = workload_.keys();
  for (uint64_t told = 0; written_ < keys;) {
    const Time now = clock_.Now();
    if (now - last_success_ > kPreloadPatience) {
      AwaitIdle();
      return absl::UnavailableError(StrCat("preload: ", written_, " of ", keys, " keys are written, and none more for ",
                                           ToMilliseconds(kPreloadPatience), " ms: ", result_.first_error));
    }
    StartWhatIsDue(now);
    target_.Poll(NextEvent());
    if (written_ - told < keys / 100 && written_ < keys) continue;
    told = written_;
    observer_.OnPreloaded(written_, keys);
  }
  AwaitIdle();
  return OkStatus();
}

LoadResult Load::Run() {
  phase_ = Phase::kRun;
  const Time start = clock_.Now();
  const Time measure_at = start + options_.warm_up;
  const Time end = measure_at + options_.duration;
  Time second_ends = start + Seconds(1);
  next_due_ = start;
  result_ = {};
  for (Time now = start; now < end; now = clock_.Now()) {
    if (!is_measuring_ && now >= measure_at) {
      CloseSecond();
      second_ends = measure_at + Seconds(1);
      is_measuring_ = true;
      last_success_ = measure_at;
      observer_.OnMeasuringBegins();
    } else if (now >= second_ends) {
      CloseSecond();
      second_ends += Seconds(1);
    }
    StartWhatIsDue(now);
    target_.Poll(std::min({NextEvent(), second_ends, end, is_measuring_ ? end : measure_at}));
  }
  CloseSecond();
  observer_.OnMeasuringEnds();
  result_.longest_gap = std::max(result_.longest_gap, end - last_success_);
  result_.measured = options_.duration;
  is_measuring_ = false;
  AwaitIdle();
  return std::move(result_);
}

void Load::StartWhatIsDue(Time now) {
  while (!resting_.empty() && resting_.front().first <= now) {
    free_.push_back(resting_.front().second);
    resting_.pop_front();
  }
  for (Time due; !free_.empty() && TakeDue(now, due);) {
    Slot& slot = *free_.back();
    free_.pop_back();
    if (phase_ == Phase::kRun) {
      slot.Start(workload_.Next(), due);
    } else if (!rewrite_.empty()) {
      slot.Start({Kind::kPut, rewrite_.back()}, due);
      rewrite_.pop_back();
    } else {
      slot.Start({Kind::kPut, next_key_++}, due);
    }
  }
}

// Whether another request may start now, and when it should have.
bool Load::TakeDue(Time now, Time& due) {
  due = now;
  if (phase_ == Phase::kIdle) return false;
  if (phase_ == Phase::kPreload) return !rewrite_.empty() || next_key_ < workload_.keys();
  if (options_.rate == 0) return true;
  while (next_due_ <= now) {
    due_.push_back(next_due_);
    const double unit = (static_cast<double>(random_.Next() >> 11) + 1) * 0x1.0p-53;  // (0, 1]
    next_due_ += Duration(static_cast<int64_t>(-std::log(unit) / options_.rate * 1e9));
  }
  if (due_.empty()) return false;
  due = due_.front();
  due_.pop_front();
  return true;
}

// Until when nothing happens of itself.
Time Load::NextEvent() const {
  Time next = clock_.Now() + Seconds(1);
  if (!resting_.empty()) next = std::min(next, resting_.front().first);
  if (phase_ == Phase::kRun && options_.rate > 0 && !free_.empty()) next = std::min(next, next_due_);
  return next;
}

void Load::OnDone(Slot& slot, const Reply& reply, Time now) {
  const auto [kind, key] = slot.request();
  if (workload_.Has(Kind::kSwap) && reply.status.ok()) RevisionOf(key) = reply.revision;
  if (phase_ == Phase::kPreload) {
    if (reply.status.ok()) {
      ++written_;
    } else {
      rewrite_.push_back(key);
    }
  }
  Note(kind, now - slot.due(), reply, now);
  if (!reply.status.ok()) {
    resting_.emplace_back(now + kRest, &slot);
    return;
  }
  free_.push_back(&slot);
  if (phase_ == Phase::kRun && options_.rate == 0) StartWhatIsDue(now);
}

void Load::Note(Kind kind, Duration latency, const Reply& reply, Time now) {
  if (!reply.status.ok()) {
    ++second_.errors;
    if (result_.first_error.empty()) result_.first_error = reply.status.ToString();
    if (is_measuring_) ++result_.errors[absl::StatusCodeToString(reply.status.code())];
    return;
  }
  ++second_.done;
  second_latency_.Add(latency);
  if (is_measuring_) {
    result_.longest_gap = std::max(result_.longest_gap, now - last_success_);
    result_.latency[static_cast<size_t>(kind)].Add(latency);
    const bool is_read = kind == Kind::kGet || kind == Kind::kStaleGet;
    if (is_read && !reply.found) ++result_.not_found;
    if ((kind == Kind::kSwap || kind == Kind::kModify) && !reply.swapped) ++result_.swaps_lost;
  }
  last_success_ = now;
}

void Load::CloseSecond() {
  Second second = std::exchange(second_, {});
  const Histogram latency = std::exchange(second_latency_, {});
  second.p50 = latency.Percentile(50);
  second.p99 = latency.Percentile(99);
  second.max = latency.max();
  if (is_measuring_) result_.seconds.push_back(second);
  observer_.OnSecond(second);
}

void Load::AwaitIdle() {
  phase_ = Phase::kIdle;
  while (free_.size() + resting_.size() < slots_.size()) target_.Poll(clock_.Now() + Seconds(1));
}

uint64_t& Load::RevisionOf(uint64_t key) {
  if (key >= revisions_.size()) revisions_.resize(std::max<uint64_t>(key + 1, workload_.keys()));
  return revisions_[key];
}

}  // namespace decree::bench
