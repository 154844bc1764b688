#include "paxos/core/proposer/resend.h"

#include <algorithm>

#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

// A voter is asked at least so often, in units of the first wait.
constexpr int kWaitMax = 8;

}  // namespace

void Resend::OnAsked(Slot oldest, Slot last, uint64_t inquiry, Time now) {
  if (!IsAbout(oldest)) {
    last_ = last;
    wait_ = options_.retransmit;
    first_inquiry_ = inquiry;
    copied_.reset();
    is_copy_due_ = false;
    copy_bytes_ = options_.fetch_piece_bytes;
  }
  last_inquiry_ = inquiry;
  wait_ = std::min(2 * wait_, kWaitMax * options_.retransmit);
  again_at_ = now + wait_;
}

void Resend::OnCopied(Slot oldest, uint64_t inquiry, Time now) {
  is_copy_due_ = false;
  copied_ = oldest;
  first_inquiry_ = last_inquiry_ = inquiry;
  again_at_ = now + wait_;
}

bool Resend::OnAnswer(Slot oldest, uint64_t inquiry) {
  if (!IsAbout(oldest) || inquiry < first_inquiry_ || inquiry > last_inquiry_) return false;
  if (copied_.has_value() && oldest <= *copied_) {
    RARE_CASE("a voter took nothing of what it was sent again");
    copied_.reset();
    first_inquiry_ = last_inquiry_ + 1;
    copy_bytes_ = options_.fetch_piece_bytes;
    return false;
  }
  if (copied_.has_value()) {
    copied_.reset();
    copy_bytes_ = std::min(2 * copy_bytes_, options_.fetch_window_bytes_max);
    wait_ = options_.retransmit;
  }
  is_copy_due_ = true;
  return true;
}

void Resend::AskSoon() {
  wait_ = options_.retransmit / 2;  // doubled when it is asked
  again_at_ = Time::min();
  copied_.reset();
}

}  // namespace decree::paxos
