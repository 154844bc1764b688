#include "paxos/core/learner/fetch_window.h"

#include <algorithm>

namespace decree::paxos {
namespace {

// A lost answer leaves its Fetch here until a later one is answered.
constexpr size_t kSentMax = 1024;
constexpr Duration kMeasureEvery = Seconds(10);
// Round trips vary with what else the peer does.
constexpr int kPatienceRoundTrips = 4;

}  // namespace

FetchWindow::FetchWindow(const Options& options) : options_(options), bytes_(options.fetch_piece_bytes) {}

void FetchWindow::Reset() {
  bytes_ = options_.fetch_piece_bytes;
  sent_.clear();
  changed_at_ = last_number_;
  shortest_.reset();
  last_round_trip_ = Duration::zero();
  is_measuring_ = false;
}

void FetchWindow::OnFetch(uint64_t number, Time now) {
  last_number_ = number;
  sent_.push_back({.number = number, .at = now});
  if (sent_.size() > kSentMax) sent_.pop_front();
}

void FetchWindow::OnAnswer(uint64_t number, Time now) {
  std::optional<Time> sent_at;
  while (!sent_.empty() && sent_.front().number <= number) {
    if (sent_.front().number == number) sent_at = sent_.front().at;
    sent_.pop_front();
  }
  // Only the first answer after a Fetch tells how long it took.
  if (!sent_at.has_value() || number <= changed_at_) return;
  last_round_trip_ = now - *sent_at;
  if (is_measuring_ || !shortest_.has_value()) {
    is_measuring_ = false;
    shortest_ = last_round_trip_;
    measured_ = now;
  }
  shortest_ = std::min(*shortest_, last_round_trip_);
  Adapt(last_round_trip_);
  is_measuring_ = now - measured_ > kMeasureEvery;
  changed_at_ = last_number_;
}

void FetchWindow::Adapt(Duration round_trip) {
  const double target = static_cast<double>((*shortest_ + options_.fetch_queue_target).count());
  const double taken = static_cast<double>(std::max<int64_t>(round_trip.count(), 1));
  const double factor = std::clamp(target / taken, 0.5, 2.0);
  bytes_ = std::clamp(static_cast<size_t>(static_cast<double>(bytes_) * factor), options_.fetch_piece_bytes,
                      options_.fetch_window_bytes_max);
}

void FetchWindow::OnTimeout() {
  bytes_ = std::max(bytes_ / 2, options_.fetch_piece_bytes);
  sent_.clear();
  changed_at_ = last_number_;
}

Duration FetchWindow::patience() const { return std::max(options_.retransmit, kPatienceRoundTrips * last_round_trip_); }

}  // namespace decree::paxos
