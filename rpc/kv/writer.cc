#include "rpc/kv/writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <glog/logging.h>

#include "kv/command.h"
#include "paxos/base/rare_case.h"
#include "rpc/kv/answers.h"

namespace decree::rpc {
namespace {

using grpc::StatusCode;
using paxos::NodeId;
using paxos::ProposalEnd;

// How long a former leader may take to answer what was forwarded to it: it may just be handing over.
constexpr Duration kForwardGrace = Milliseconds(200);
// After how long a write tries again for which there was no room.
constexpr Duration kTryAgainAfter = Milliseconds(10);

// Whether the state machine has judged the request itself, with all its copies.
bool IsVerdict(const Failure& failure) {
  if (failure.detail.reason() == v1::ErrorDetail::REASON_SESSION_UNKNOWN) return false;
  return failure.code == StatusCode::INVALID_ARGUMENT || failure.code == StatusCode::FAILED_PRECONDITION ||
         failure.code == StatusCode::ABORTED;
}

// What is said of the last copy does not hold for an earlier one.
void BecomeUnknown(Failure& failure) {
  failure.detail.set_outcome(v1::ErrorDetail::OUTCOME_UNKNOWN);
  if (failure.detail.reason() != v1::ErrorDetail::REASON_ASK_ANOTHER) failure.detail.clear_reason();
  CutVerdict(failure.text);
  failure.text.append(kMayHappen);
}

}  // namespace

// One write on its way, and all that wait for it: a client that repeats a request of its session waits for the copy
// that is under way. Whatever the write waits for holds a reference to it.
class Writer::Write : public std::enable_shared_from_this<Write> {
 public:
  Write(Writer& writer, const v1::Command& command, const WriteOptions& options)
      : writer_(writer),
        command_(std::make_shared<const std::string>(command.SerializeAsString())),
        id_(command.session(), command.number()),
        options_(options) {}

  const RequestId& id() const { return id_; }
  // Whether the command asks for the same, and has come in the same way, so that it may wait for this one.
  bool IsCopiedBy(v1::Command& command, const WriteOptions& options) {
    return options.was_forwarded == options_.was_forwarded && options.no_forwarding == options_.no_forwarding &&
           kv::RequestHash(command) == Hash();
  }

  // Tells `done` too how the write ends, or that it has not ended in time.
  void Join(Duration time_left, OnEnd done) {
    const Time answer_by = AnswerBy(writer_.loop_.RoughlyNow(), time_left);
    const auto waiter = waiters_.emplace(waiters_.end(), answer_by, std::move(done));
    waiter->deadline.emplace(writer_.loop_.timers(), [this, waiter] { OnDeadline(waiter); });
    waiter->deadline->Set(answer_by);
  }

  // The first attempt, or another one because something has changed.
  void Try() {
    if (state_ == State::kEnded) return;
    const Leadership& leadership = writer_.leadership_;
    if (writer_.is_closing_) return Fail(leadership.Closing());
    give_up_at_ = LastDeadline();
    if (leadership.IsOwn()) return Propose();
    const NodeId leader = leadership.LiveLeader();
    // A forwarder goes on by itself; a client that wants none of it is told whom to ask.
    if (options_.was_forwarded || (options_.no_forwarding && leader != paxos::kNoNode)) {
      return Fail(leadership.NotLeading(kNotCarriedOut));
    }
    if (leader == leadership.self() || !writer_.forwarder_.IsConnected(leader)) return WaitForLeader();
    Forward(leader);
  }

  // `node` has carried the write out.
  void EndWithResult(NodeId node, std::string bytes, std::shared_ptr<const v1::KeyValue> previous) {
    WriteEnd end{
        .failure = {}, .node = node, .result = {}, .result_bytes = std::move(bytes), .previous = std::move(previous)};
    // No revision is 0; an empty message would otherwise count as a success.
    if (!end.result.ParseFromString(end.result_bytes) || end.result.revision() == 0) {
      CHECK(node != writer_.leadership_.self()) << "the state machine's own answer";
      return Fail(OutcomeUnknown(StatusCode::INTERNAL, StrCat("n", node.value(),
                                                              " has answered with what is no result; run the same "
                                                              "version of decreed on all nodes",
                                                              kMayHappen)));
    }
    if (end.result.refusal() != v1::CommandResult::REFUSAL_NONE) return Fail(RefusalOf(end.result));
    Finish();
    while (waiters_.size() > 1) {
      WriteEnd copy = end;
      Tell(copy, waiters_.begin());
    }
    if (!waiters_.empty()) Tell(end, waiters_.begin());
  }

 private:
  enum class State { kWaiting, kProposed, kForwarded, kEnded };

  // ---- At the leader ----

  void Propose() {
    state_ = State::kProposed;
    waits_since_ = kTimeNever;
    writer_.node_.Propose(command_, give_up_at_,
                          [self = shared_from_this()](ProposalEnd end) { self->OnProposalEnd(std::move(end)); });
  }

  void OnProposalEnd(ProposalEnd end) {
    if (waiters_.empty()) return Finish();  // It has taken longer than anybody waits.
    switch (end.kind) {
      case ProposalEnd::Kind::kApplied:
        return EndWithResult(writer_.leadership_.self(), std::move(end.answer), nullptr);
      case ProposalEnd::Kind::kNotLeader:
      case ProposalEnd::Kind::kSuperseded:
        RARE_CASE("a write lost its leader and looks for the next");
        return WaitForLeader();
      case ProposalEnd::Kind::kUnknown:
        return Fail(OutcomeUnknown(
            StatusCode::UNAVAILABLE,
            StrCat(writer_.leadership_.Name(),
                   " leads no more, and cannot tell what has become of the write; ask another node", kMayHappen)));
      case ProposalEnd::Kind::kOverloaded:
        crowded_ = writer_.leadership_.self();
        // The node that has forwarded it waits, and not this one's stream.
        return options_.was_forwarded ? Fail(Crowded()) : WaitForLess();
      case ProposalEnd::Kind::kTooLarge:
        return Fail(NotExecuted(StatusCode::INVALID_ARGUMENT,
                                "the request as a whole is too large; see the limits of key and value"));
      case ProposalEnd::Kind::kDeadline:
        return FailLate(NotExecuted(StatusCode::DEADLINE_EXCEEDED,
                                    StrCat("the deadline has passed before ", writer_.leadership_.Name(),
                                           " could propose the write", kNotCarriedOut)));
    }
  }

  // ---- Elsewhere ----

  void Forward(NodeId leader) {
    state_ = State::kForwarded;
    forwarded_to_ = leader;
    number_ = writer_.forwarder_.Forward(leader, command_, give_up_at_, [self = shared_from_this()](ForwardEnd end) {
      self->OnForwarded(std::move(end));
    });
  }

  void OnForwarded(ForwardEnd end) {
    switch (end.kind) {
      case ForwardEnd::Kind::kResult:
        return EndWithResult(forwarded_to_, std::move(end.result), std::move(end.previous));
      case ForwardEnd::Kind::kFailure:
        return OnForwardFailed(std::move(end.failure));
      case ForwardEnd::Kind::kNotSent:
        return WaitForLeader();
      case ForwardEnd::Kind::kLost:
        return OnForwardLost();
    }
  }

  void OnForwardFailed(Failure failure) {
    const bool was_not_executed = failure.detail.outcome() == v1::ErrorDetail::OUTCOME_NOT_EXECUTED;
    if (failure.code == StatusCode::UNAVAILABLE && was_not_executed) {
      RARE_CASE("a forwarded write reached a node that does not lead");
      return WaitForLeader();
    }
    // With a reason it is the state machine's verdict, which another attempt does not change.
    const bool has_reason = failure.detail.reason() != v1::ErrorDetail::REASON_UNSPECIFIED;
    if (failure.code == StatusCode::RESOURCE_EXHAUSTED && was_not_executed && !has_reason) {
      crowded_ = forwarded_to_;
      return WaitForLess();
    }
    if (failure.code != StatusCode::DEADLINE_EXCEEDED) return Fail(std::move(failure));
    was_lost_sight_of_ = was_lost_sight_of_ || !was_not_executed;
    FailLate(std::move(failure));
  }

  void OnForwardLost() {
    // Not this node's to decide whether the leader has carried it out; its session does.
    if (InSession()) {
      RARE_CASE("a forwarded write of a session was lost sight of and is sent again");
      was_lost_sight_of_ = true;
      return WaitForLeader();
    }
    Fail(OutcomeUnknown(StatusCode::UNAVAILABLE, StrCat("the connection to n", forwarded_to_.value(),
                                                        ", to which the write was forwarded, is lost", kMayHappen)));
  }

  Failure Crowded() const {
    return Overloaded(StrCat("too many writes are waiting at n", crowded_.value(), kNotCarriedOut));
  }

  void WaitForLess() {
    RARE_CASE("a write waits because too many do");
    state_ = State::kWaiting;
    writer_.TryLater(shared_from_this());
  }

  void WaitForLeader() {
    state_ = State::kWaiting;
    crowded_ = paxos::kNoNode;
    const Time now = writer_.loop_.Now();
    waits_since_ = std::min(waits_since_, now);
    const bool has_waited = now - waits_since_ >= writer_.room_.patience();
    if (has_waited || !writer_.leadership_.MayHelpSoon()) return Fail(writer_.leadership_.NoLeader(kNotCarriedOut));
    writer_.room_.Enter([self = shared_from_this()] { self->Try(); });
  }

  // ---- Those who wait ----

  void OnDeadline(std::list<Waiter>::iterator waiter) {
    const std::shared_ptr<Write> keep = shared_from_this();
    if (waiters_.size() == 1 && state_ == State::kForwarded && !writer_.forwarder_.Withdraw(number_)) {
      state_ = State::kWaiting;
    }
    const Failure failure = TimedOut();
    // A proposal cannot be withdrawn: who repeats it meanwhile is told how it ends.
    if (waiters_.size() == 1 && state_ != State::kProposed) Finish();
    TellThat(failure, waiter);
  }

  Failure TimedOut() const {
    const std::string name = writer_.leadership_.Name();
    switch (state_) {
      case State::kProposed:
        return OutcomeUnknown(StatusCode::DEADLINE_EXCEEDED, StrCat("no quorum has confirmed the write to ", name,
                                                                    " before the deadline", kMayHappen));
      case State::kForwarded:
        return OutcomeUnknown(StatusCode::DEADLINE_EXCEEDED,
                              StrCat("n", forwarded_to_.value(), ", to which ", name,
                                     " has forwarded the write, did not answer before the deadline", kMayHappen));
      case State::kWaiting:
        if (crowded_ != paxos::kNoNode) return Crowded();
        break;
      case State::kEnded:
        break;
    }
    return writer_.leadership_.NoLeader(kNotCarriedOut);
  }

  Time LastDeadline() const {
    Time last = Time::min();
    for (const Waiter& waiter : waiters_) last = std::max(last, waiter.answer_by);
    return last;
  }

  void TellThat(Failure failure, std::list<Waiter>::iterator waiter) {
    WriteEnd end{.failure = Complete(std::move(failure))};
    Tell(end, waiter);
  }
  void Tell(WriteEnd& end, std::list<Waiter>::iterator waiter) {
    waiter->deadline->Cancel();
    // Not destroyed here: its timer may be what has led here.
    writer_.ended_.splice(writer_.ended_.end(), waiters_, waiter);
    // The call is let go, whoever still holds the write.
    const OnEnd done = std::exchange(waiter->done, nullptr);
    done(end);
  }

  // ---- The end ----

  void Fail(const Failure& failure) {
    Finish();
    while (!waiters_.empty()) TellThat(failure, waiters_.begin());
  }

  // Ends an attempt that had the time until `give_up_at_`; callers that have joined since go on.
  void FailLate(const Failure& failure) {
    state_ = State::kWaiting;
    std::vector<std::list<Waiter>::iterator> late;
    for (auto waiter = waiters_.begin(); waiter != waiters_.end(); ++waiter) {
      if (waiter->answer_by <= give_up_at_) late.push_back(waiter);
    }
    if (late.size() == waiters_.size()) return Fail(failure);
    for (const auto& waiter : late) TellThat(failure, waiter);
    Try();
  }

  Failure Complete(Failure failure) const {
    if (was_lost_sight_of_ && !IsVerdict(failure)) BecomeUnknown(failure);
    const bool was_not_executed = failure.detail.outcome() == v1::ErrorDetail::OUTCOME_NOT_EXECUTED;
    failure.detail.set_safe_to_retry(was_not_executed || InSession());
    return writer_.leadership_.WithLeader(std::move(failure));
  }

  bool InSession() const { return id_.first != 0; }

  // Found once: a small request that only has the number of a large one is to cost little.
  uint64_t Hash() {
    if (!hash_.has_value()) {
      std::optional<v1::Command> command = kv::ParseCommand(*command_);
      CHECK(command.has_value()) << "a command of our own making";
      hash_ = kv::RequestHash(*command);
    }
    return *hash_;
  }

  // From here on nobody can join.
  void Finish() {
    CHECK(state_ != State::kEnded) << "a write ends twice";
    state_ = State::kEnded;
    writer_.Forget(*this);
  }

  Writer& writer_;
  const std::shared_ptr<const std::string> command_;
  const RequestId id_;
  const WriteOptions options_;
  std::optional<uint64_t> hash_;  // of what is asked
  std::list<Waiter> waiters_;

  State state_ = State::kWaiting;
  Time give_up_at_;                // of the latest attempt
  Time waits_since_ = kTimeNever;  // for a leader
  NodeId forwarded_to_;
  uint64_t number_ = 0;             // at the forwarder
  NodeId crowded_;                  // who has had no room for the latest attempt
  bool was_lost_sight_of_ = false;  // a copy was forwarded, and what became of it is not known
};

Writer::Writer(EventLoop& loop, paxos::Node& node, const kv::StateMachine& machine, const Leadership& leadership,
               WaitingRoom& room, Forwarder& forwarder)
    : loop_(loop),
      node_(node),
      machine_(machine),
      leadership_(leadership),
      room_(room),
      forwarder_(forwarder),
      give_up_timer_(loop.timers(), [this] { forwarder_.GiveUpAllBut(leadership_.Leader()); }),
      try_timer_(loop.timers(), [this] {
        for (const std::shared_ptr<Write>& write : std::exchange(to_try_, {})) write->Try();
      }) {}

void Writer::TryLater(std::shared_ptr<Write> write) {
  to_try_.push_back(std::move(write));
  if (!try_timer_.is_set()) try_timer_.Set(loop_.Now() + kTryAgainAfter);
}

void Writer::Start(v1::Command& command, const WriteOptions& options, OnEnd done) {
  const RequestId id(command.session(), command.number());
  const bool may_come_again = command.session() != 0 && kv::DoesSomethingToKeys(command);
  const auto found = may_come_again ? under_way_.find(id) : under_way_.end();
  if (found != under_way_.end() && found->second->IsCopiedBy(command, options)) {
    RARE_CASE("a repeated write waits for the copy that is under way");
    return found->second->Join(options.time_left, std::move(done));
  }
  const auto write = std::make_shared<Write>(*this, command, options);
  write->Join(options.time_left, std::move(done));
  // Elsewhere the table may lag behind: behind the end of the session, for one.
  if (leadership_.IsOwn()) {
    if (std::optional<std::string> answer = machine_.AnswerTo(command)) {
      RARE_CASE("a repeated write is answered out of its session's table");
      return write->EndWithResult(leadership_.self(), *std::move(answer), nullptr);
    }
  }
  // If another request of the session has this number, the state machine will say so.
  if (may_come_again) under_way_.try_emplace(id, write.get());
  write->Try();
}

void Writer::Forget(const Write& write) {
  const auto found = under_way_.find(write.id());
  if (found != under_way_.end() && found->second == &write) under_way_.erase(found);
}

void Writer::OnLeadershipChanged() {
  if (forwarder_.outstanding() > 0) give_up_timer_.Set(loop_.Now() + kForwardGrace);
}

}  // namespace decree::rpc
