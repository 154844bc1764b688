#include "rpc/kv/writer.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/probe.h"
#include "rpc/kv/answers.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;
using paxos::NodeId;
using paxos::Outcome;

// How long a former leader may take to answer what was forwarded to it: it may just be handing over.
constexpr Duration kForwardGrace = Milliseconds(200);

// Whether the state machine has judged the request itself, with all its copies.
bool IsVerdict(const Failure& failure) {
  if (failure.detail.reason() == v1::ErrorDetail::REASON_SESSION_UNKNOWN) return false;
  return failure.code == StatusCode::INVALID_ARGUMENT ||
         failure.code == StatusCode::FAILED_PRECONDITION || failure.code == StatusCode::ABORTED;
}

// What is said of the last copy does not hold for an earlier one.
void BecomeUnknown(Failure& failure) {
  failure.detail.set_outcome(v1::ErrorDetail::OUTCOME_UNKNOWN);
  if (failure.detail.reason() != v1::ErrorDetail::REASON_ASK_ANOTHER) failure.detail.clear_reason();
  CutVerdict(failure.text);
  failure.text.append(kMayHappen);
}

}  // namespace

// One write on its way. Whatever it waits for holds a reference to it.
class Writer::Write : public std::enable_shared_from_this<Write> {
 public:
  Write(Writer& writer, WriteRequest request, OnEnd done)
      : writer_(writer),
        request_(std::move(request)),
        done_(std::move(done)),
        answer_by_(AnswerBy(writer.loop_.Now(), request_.time_left)),
        deadline_timer_(writer.loop_.timers(), [this] { OnDeadline(); }) {
    deadline_timer_.Set(answer_by_);
  }

  // The first attempt, or another one because something has changed.
  void Try() {
    if (state_ == State::kEnded) return;
    const Leadership& leadership = writer_.leadership_;
    if (writer_.is_closing_) return Fail(leadership.Closing());
    if (leadership.IsOwn()) return Propose();
    const NodeId leader = leadership.LiveLeader();
    // A forwarder goes on by itself; a client that wants none of it is told whom to ask.
    if (request_.was_forwarded || (request_.no_forwarding && leader != paxos::kNoNode)) {
      return Fail(leadership.NotLeading(kNotCarriedOut));
    }
    if (leader == leadership.self() || !writer_.forwarder_.IsConnected(leader)) return WaitForLeader();
    Forward(leader);
  }

 private:
  enum class State { kWaiting, kProposed, kForwarded, kEnded };

  // ---- At the leader ----

  void Propose() {
    state_ = State::kProposed;
    waits_since_ = kTimeNever;
    writer_.node_.Propose(*request_.command, answer_by_, [self = shared_from_this()](Outcome outcome) {
      self->OnOutcome(std::move(outcome));
    });
  }

  void OnOutcome(Outcome outcome) {
    if (state_ == State::kEnded) return;
    const std::string name = writer_.leadership_.Name();
    switch (outcome.kind) {
      case Outcome::Kind::kApplied:
        return EndWithResult(writer_.leadership_.self(), std::move(outcome.answer));
      case Outcome::Kind::kNotLeader:
      case Outcome::Kind::kSuperseded:
        PROBE("a write lost its leader and looks for the next");
        return WaitForLeader();
      case Outcome::Kind::kUnknown:
        return Fail(OutcomeUnknown(
            StatusCode::UNAVAILABLE,
            StrCat(name, " leads no more, and cannot tell what has become of the write; ask another node",
                   kMayHappen)));
      case Outcome::Kind::kOverloaded:
        return Fail(Overloaded(StrCat("too many writes are waiting at ", name, kNotCarriedOut)));
      case Outcome::Kind::kTooLarge:
        return Fail(NotExecuted(StatusCode::INVALID_ARGUMENT,
                                "the request as a whole is too large; see the limits of key and value"));
      case Outcome::Kind::kDeadline:
        state_ = State::kWaiting;
        return Fail(NotExecuted(
            StatusCode::DEADLINE_EXCEEDED,
            StrCat("the deadline has passed before ", name, " could propose the write", kNotCarriedOut)));
    }
  }

  // ---- Elsewhere ----

  void Forward(NodeId leader) {
    state_ = State::kForwarded;
    forwarded_to_ = leader;
    number_ = writer_.forwarder_.Forward(
        leader, request_.command, answer_by_,
        [self = shared_from_this()](ForwardEnd end) { self->OnForwarded(std::move(end)); });
  }

  void OnForwarded(ForwardEnd end) {
    switch (end.kind) {
      case ForwardEnd::Kind::kResult:
        return EndWithResult(forwarded_to_, std::move(end.result));
      case ForwardEnd::Kind::kFailure:
        return OnForwardFailed(std::move(end.failure));
      case ForwardEnd::Kind::kNotSent:
        return WaitForLeader();
      case ForwardEnd::Kind::kLost:
        return OnForwardLost();
    }
  }

  void OnForwardFailed(Failure failure) {
    if (failure.code == StatusCode::UNAVAILABLE &&
        failure.detail.outcome() == v1::ErrorDetail::OUTCOME_NOT_EXECUTED) {
      PROBE("a forwarded write reached a node that does not lead");
      return WaitForLeader();
    }
    Fail(std::move(failure));
  }

  void OnForwardLost() {
    // Not this node's to decide whether the leader has carried it out; its session does.
    if (request_.in_session) {
      PROBE("a forwarded write of a session was lost sight of and is sent again");
      was_lost_sight_of_ = true;
      return WaitForLeader();
    }
    Fail(OutcomeUnknown(StatusCode::UNAVAILABLE,
                        StrCat("the connection to n", forwarded_to_.value(),
                               ", to which the write was forwarded, is lost", kMayHappen)));
  }

  void WaitForLeader() {
    state_ = State::kWaiting;
    const Time now = writer_.loop_.Now();
    waits_since_ = std::min(waits_since_, now);
    const bool has_waited = now - waits_since_ >= writer_.room_.patience();
    if (has_waited || !writer_.leadership_.MayHelpSoon()) return Fail(writer_.leadership_.NoLeader(kNotCarriedOut));
    writer_.room_.Enter([self = shared_from_this()] { self->Try(); });
  }

  // ---- The end ----

  void OnDeadline() {
    writer_.ended_.push_back(shared_from_this());
    if (state_ == State::kForwarded && !writer_.forwarder_.Withdraw(number_)) state_ = State::kWaiting;
    Fail(TimedOut());
  }

  Failure TimedOut() const {
    const std::string name = writer_.leadership_.Name();
    switch (state_) {
      case State::kProposed:
        return OutcomeUnknown(StatusCode::DEADLINE_EXCEEDED,
                              StrCat("no quorum has confirmed the write to ", name, " before the deadline",
                                     kMayHappen));
      case State::kForwarded:
        return OutcomeUnknown(StatusCode::DEADLINE_EXCEEDED,
                              StrCat("n", forwarded_to_.value(), ", to which ", name,
                                     " has forwarded the write, did not answer before the deadline", kMayHappen));
      case State::kWaiting:
      case State::kEnded:
        break;
    }
    return writer_.leadership_.NoLeader(kNotCarriedOut);
  }

  void EndWithResult(NodeId node, std::string bytes) {
    WriteEnd end{.failure = {}, .node = node, .result = {}, .result_bytes = std::move(bytes)};
    if (!end.result.ParseFromString(end.result_bytes)) {
      CHECK(node != writer_.leadership_.self()) << "the state machine's own answer";
      return Fail(OutcomeUnknown(StatusCode::INTERNAL, StrCat("n", node.value(), " has answered with what is no result; "
                                                              "run the same version of decreed on all nodes",
                                                              kMayHappen)));
    }
    if (end.result.refusal() != v1::CommandResult::REFUSAL_NONE) return Fail(RefusalOf(end.result));
    End(end);
  }

  void Fail(Failure failure) {
    if (was_lost_sight_of_ && !IsVerdict(failure)) BecomeUnknown(failure);
    const bool was_not_executed = failure.detail.outcome() == v1::ErrorDetail::OUTCOME_NOT_EXECUTED;
    failure.detail.set_safe_to_retry(was_not_executed || request_.in_session);
    WriteEnd end{.failure = writer_.leadership_.WithLeader(std::move(failure))};
    End(end);
  }

  void End(WriteEnd& end) {
    CHECK(state_ != State::kEnded) << "a write ends twice";
    state_ = State::kEnded;
    deadline_timer_.Cancel();
    // The call is let go, whoever still holds the write.
    const OnEnd done = std::exchange(done_, nullptr);
    done(end);
  }

  Writer& writer_;
  const WriteRequest request_;
  OnEnd done_;
  const Time answer_by_;
  Timer deadline_timer_;

  State state_ = State::kWaiting;
  Time waits_since_ = kTimeNever;  // for a leader
  NodeId forwarded_to_;
  uint64_t number_ = 0;             // at the forwarder
  bool was_lost_sight_of_ = false;  // a copy was forwarded, and what became of it is not known
};

Writer::Writer(EventLoop& loop, paxos::Node& node, const Leadership& leadership, WaitingRoom& room,
               Forwarder& forwarder)
    : loop_(loop),
      node_(node),
      leadership_(leadership),
      room_(room),
      forwarder_(forwarder),
      give_up_timer_(loop.timers(), [this] { forwarder_.GiveUpAllBut(leadership_.Leader()); }) {}

void Writer::Start(WriteRequest request, OnEnd done) {
  std::make_shared<Write>(*this, std::move(request), std::move(done))->Try();
}

void Writer::OnLeadershipChanged() {
  if (forwarder_.outstanding() > 0) give_up_timer_.Set(loop_.Now() + kForwardGrace);
}

}  // namespace decree::rpc
