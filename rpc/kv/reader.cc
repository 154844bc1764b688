#include "rpc/kv/reader.h"

#include <algorithm>
#include <memory>
#include <utility>

#include <glog/logging.h>

namespace decree::rpc {

// One linearizable read on its way. Whatever it waits for holds a reference to it.
class Reader::Read : public std::enable_shared_from_this<Read> {
 public:
  Read(Reader& reader, const ReadRequest& request, OnEnd done)
      : reader_(reader),
        may_ask_(request.may_ask),
        done_(std::move(done)),
        deadline_timer_(reader.loop_.timers(), [this] { End(reader_.leadership_.NotConfirmed()); }) {
    deadline_timer_.Set(AnswerBy(reader.loop_.Now(), request.time_left));
  }

  // The first attempt, or another one because something has changed.
  void Try() {
    if (has_ended_) return;
    const Leadership& leadership = reader_.leadership_;
    if (reader_.is_closing_) return End(leadership.Closing());
    if (leadership.LiveLeader() == paxos::kNoNode) return WaitForLeader();
    if (!may_ask_ && leadership.Leader() != leadership.self()) return End(leadership.NotLeading(""));
    reader_.node_.Read([self = shared_from_this()](paxos::ReadEnd end) { self->OnReadEnd(end); });
  }

 private:
  void OnReadEnd(paxos::ReadEnd end) {
    if (has_ended_) return;
    if (end.granted) return End(std::nullopt);
    if (end.reason != paxos::RefusedRead::Reason::kOverloaded) return WaitForLeader();
    End(Overloaded(StrCat("too many reads are waiting at ", reader_.leadership_.Name())));
  }

  void WaitForLeader() {
    const Time now = reader_.loop_.Now();
    waits_since_ = std::min(waits_since_, now);
    const bool has_waited = now - waits_since_ >= reader_.room_.patience();
    if (has_waited || !reader_.leadership_.MayHelpSoon()) return End(reader_.leadership_.NotConfirmed());
    reader_.room_.Enter([self = shared_from_this()] { self->Try(); });
  }

  void End(std::optional<Failure> failure) {
    CHECK(!std::exchange(has_ended_, true)) << "a read ends twice";
    deadline_timer_.Cancel();
    if (failure.has_value()) failure = reader_.leadership_.WithLeader(*std::move(failure));
    // The call is let go, whoever still holds the read.
    const OnEnd done = std::exchange(done_, nullptr);
    done(failure);
  }

  Reader& reader_;
  const bool may_ask_;
  OnEnd done_;
  Timer deadline_timer_;
  Time waits_since_ = kTimeNever;  // for a leader
  bool has_ended_ = false;
};

bool Reader::MayReadNow(v1::ReadMode mode) {
  if (mode != v1::READ_MODE_STALE) return node_.ReadUnderLease();
  if (!leadership_.TakesPart()) return false;
  ++stale_reads_;
  return true;
}

void Reader::Start(const ReadRequest& request, OnEnd done) {
  if (request.mode == v1::READ_MODE_STALE) return done(leadership_.NoMember());
  std::make_shared<Read>(*this, request, std::move(done))->Try();
}

}  // namespace decree::rpc
