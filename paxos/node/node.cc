#include "paxos/node/node.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/rare_case.h"

namespace decree::paxos {
namespace {

// How much of the log is held in memory at once while it is replayed.
constexpr size_t kReplayBytes = 4 << 20;
constexpr size_t kProblemsMax = 16;

StatusOr<Configuration> CurrentConfiguration(const SegmentLog& log, const StateMachine& machine) {
  const std::string applied = machine.configuration();
  if (applied.empty()) return log.identity().founding;
  return Configuration::Decode(applied);
}

Status CheckNextSlot(Slot found, Slot wanted, Slot chosen_index) {
  if (found == wanted) return OkStatus();
  return absl::DataLossError(StrCat("the log has no record for slot ", wanted.value(), ", though all slots up to ",
                                    chosen_index.value(), " were written; the next it has is ", found.value(),
                                    ". Replace this node by a new one under another id"));
}

// Nothing is applied before it is durable in the log (rule 4), so a log that ends below has lost votes that were
// acknowledged.
Status CheckLogReaches(Slot last_slot, Slot applied) {
  if (last_slot >= applied) return OkStatus();
  return absl::DataLossError(
      StrCat("the log ends at slot ", last_slot.value(), ", but the store has applied slot ", applied.value(),
             ": the end of the log is lost, or it is older than the store. What this node has voted for is "
             "forgotten, so it may not go on. Put the right log back, or replace this node by a new one under "
             "another id"));
}

// What the state machine is to make of an entry.
SlotCommands CommandsOf(Slot slot, const Entry& entry) {
  SlotCommands result{.slot = slot, .log_time = entry.log_time, .commands = {}, .configuration = {}};
  if (entry.kind == EntryKind::kCommands) {
    std::optional<std::vector<std::string_view>> commands = SplitCommands(entry.payload);
    // The payload was checked where it came in, and by checksums since.
    CHECK(commands.has_value()) << "a malformed batch was chosen: slot=" << slot;
    result.commands = *std::move(commands);
  }
  if (entry.kind == EntryKind::kConfiguration) result.configuration = entry.payload;
  return result;
}

// Applies the slots up to `chosen_index` that the state machine lacks.
Status Replay(SegmentLog& log, StateMachine& machine, Slot chosen_index) {
  while (machine.applied() < chosen_index) {
    const Slot first = machine.applied().Next();
    ASSIGN_OR_RETURN(const std::vector<Vote> votes, log.Read(first, chosen_index, kReplayBytes));
    if (votes.empty()) return CheckNextSlot(kNoSlot, first, chosen_index);
    std::vector<SlotCommands> slots;
    for (const Vote& vote : votes) {
      RETURN_IF_ERROR(CheckNextSlot(vote.slot, first.Plus(slots.size()), chosen_index));
      slots.push_back(CommandsOf(vote.slot, *vote.entry));
    }
    machine.Apply(slots, nullptr);  // Whoever asked is gone.
  }
  return OkStatus();
}

// What the log holds above this slot.
StatusOr<std::vector<Vote>> ReadVotes(SegmentLog& log, Slot dropped_index) {
  std::vector<Vote> votes;
  Slot next = dropped_index.Next();
  while (next <= log.recovered().last_slot) {
    ASSIGN_OR_RETURN(std::vector<Vote> page, log.Read(next, log.recovered().last_slot, kReplayBytes));
    if (page.empty()) break;
    next = page.back().slot.Next();
    std::move(page.begin(), page.end(), std::back_inserter(votes));
  }
  return votes;
}

}  // namespace

StatusOr<std::unique_ptr<Node>> Node::Start(const Options& options, SegmentLog& log, StateMachine& state_machine,
                                            Transport& transport, const Clock& clock, Life life, uint64_t seed) {
  RETURN_IF_ERROR(options.Validate());
  RETURN_IF_ERROR(CheckLogReaches(log.recovered().last_slot, state_machine.applied()));
  const Slot chosen_index = std::max(log.recovered().chosen_index, state_machine.applied());
  RETURN_IF_ERROR(Replay(log, state_machine, chosen_index));
  CHECK_EQ(state_machine.applied(), chosen_index);

  RecoveredState recovered{.promised = log.recovered().promised,
                           .chosen_index = chosen_index,
                           .dropped_index = {},
                           .applied = chosen_index,
                           .votes = {},
                           .configuration = {},
                           .log_time = state_machine.log_time(),
                           .roster = log.recovered().roster};
  // Keeps as much of what is chosen at hand as before the restart, so that no vote goes to another value there.
  recovered.dropped_index = log.TailStart(chosen_index, options.tail_bytes_max).Previous();
  ASSIGN_OR_RETURN(recovered.votes, ReadVotes(log, recovered.dropped_index));
  ASSIGN_OR_RETURN(recovered.configuration, CurrentConfiguration(log, state_machine));
  RETURN_IF_ERROR(options.ValidateWith(recovered.configuration));

  const Identity self{.node = log.identity().node, .incarnation = log.identity().incarnation, .life = life};
  RETURN_IF_ERROR(FirstMeeting::Check(self, recovered));
  return std::unique_ptr<Node>(new Node(options, log, state_machine, transport, clock, self, recovered, seed));
}

Node::Node(const Options& options, SegmentLog& log, StateMachine& state_machine, Transport& transport,
           const Clock& clock, const Identity& self, const RecoveredState& recovered, uint64_t seed)
    : options_(options),
      log_(log),
      state_machine_(state_machine),
      transport_(transport),
      clock_(clock),
      replica_(options, self, recovered, Random(seed), clock.Now()) {}

// ---- Inputs ----

void Node::OnMessage(const Envelope& envelope) { replica_.OnMessage(envelope, clock_.Now(), out_); }

void Node::Propose(CommandBytes command, Time deadline, OnProposalEnd done) {
  const ProposalId id(next_request_++);
  switch (replica_.Propose(id, std::move(command), deadline)) {
    case ProposeResult::kQueued:
      queued_.emplace(id.value(), std::move(done));
      return;
    case ProposeResult::kNotLeader:
      return done({.kind = ProposalEnd::Kind::kNotLeader, .answer = {}});
    case ProposeResult::kOverloaded:
      return done({.kind = ProposalEnd::Kind::kOverloaded, .answer = {}});
    case ProposeResult::kTooLarge:
      return done({.kind = ProposalEnd::Kind::kTooLarge, .answer = {}});
  }
}

bool Node::ReadUnderLease() {
  if (!published_.Look().Covers(clock_.Now(), state_machine_.applied())) return false;
  ++reads_under_lease_;
  return true;
}

void Node::Read(OnReadEnd done) {
  if (ReadUnderLease()) return done({.granted = true});
  const ReadId id(next_request_++);
  reading_.emplace(id.value(), std::move(done));
  replica_.Read(id, clock_.Now(), out_);
}

TransferResult Node::TransferLeadership(NodeId heir) { return replica_.TransferLeadership(heir, clock_.Now(), out_); }

void Node::Turn() {
  const Time now = clock_.Now();
  if (replica_.NextDeadline() <= now) replica_.OnTick(now, out_);
  for (;;) {
    replica_.Flush(clock_.Now(), out_);
    LoseSight();
    if (IsEmpty(out_)) break;
    Output out = std::exchange(out_, {});
    Carry(out);
  }
  Publish();
  NoteLeadership();
}

// ---- One round ----

void Node::Carry(Output& out) {
  for (std::string& problem : out.problems) {
    if (problems_.size() < kProblemsMax) problems_.push_back(std::move(problem));
  }
  // First the messages: they travel while the log is written.
  Send(std::move(out.messages));
  NotePlacements(out.placements);
  if (!out.records.empty()) {
    before_log_write_();
    log_.Append(out.records);
    replica_.OnDurable(out.records.back().ticket, clock_.Now(), out_);
    // What waited for the log, votes above all: a leader is not to wait until this node has applied what
    // was chosen before.
    Send(std::exchange(out_.messages, {}));
  }
  if (!out.entries.empty()) Apply(out.entries);
  for (const LogRead& read : out.log_reads) ReadLog(read);
  TellEnds(out);
}

void Node::Send(std::vector<Envelope> messages) {
  // Before anything leaves: a waiver may be among the messages, and an answer depend on a new index.
  Publish();
  for (Envelope& envelope : messages) {
    if (const auto* const waiver = std::get_if<Waiver>(&envelope.message)) {
      CHECK(last_published_.ballot != waiver->ballot) << "rule 7: a lease is waived and still held";
    }
    transport_.Send(std::move(envelope));
  }
}

void Node::NotePlacements(const std::vector<Placement>& placements) {
  for (const Placement& placement : placements) {
    auto queued = queued_.extract(placement.id.value());
    CHECK(!queued.empty()) << "a placement for an unknown proposal " << placement.id;
    proposed_[placement.slot].push_back(
        {.ballot = placement.ballot, .index = placement.index, .done = std::move(queued.mapped())});
  }
}

void Node::Apply(const std::vector<ChosenEntry>& entries) {
  std::vector<SlotCommands> slots;
  slots.reserve(entries.size());
  for (const ChosenEntry& chosen : entries) slots.push_back(CommandsOf(chosen.slot, *chosen.entry));
  std::vector<CommandAnswer> answers;
  state_machine_.Apply(slots, proposed_.empty() ? nullptr : &answers);
  const Slot last = entries.back().slot;
  CHECK_EQ(state_machine_.applied(), last);
  replica_.OnApplied(last, clock_.Now(), out_);
  Answer(entries, answers);
  while (!granted_.empty() && granted_.begin()->first <= last) {
    const std::vector<OnReadEnd> ready = std::move(granted_.begin()->second);
    granted_.erase(granted_.begin());
    for (const OnReadEnd& done : ready) done({.granted = true});
  }
}

void Node::Answer(const std::vector<ChosenEntry>& entries, std::vector<CommandAnswer>& answers) {
  if (proposed_.empty()) return;
  CHECK(last_published_ == LeaseView() || last_published_.index >= entries.back().slot)
      << "rule 7: a read under the lease would miss what is about to be answered";
  // Both are in slot order, and a slot's answers in the order of its commands.
  size_t next = 0;
  for (const ChosenEntry& chosen : entries) {
    while (next < answers.size() && answers[next].slot < chosen.slot) ++next;
    auto proposed = proposed_.extract(chosen.slot);
    if (proposed.empty()) continue;
    for (Proposed& command : proposed.mapped()) {
      if (command.ballot != chosen.entry->proposer) {
        RARE_CASE("a proposed command lost its slot to another value");
        command.done({.kind = ProposalEnd::Kind::kSuperseded, .answer = {}});
        continue;
      }
      const size_t position = next + command.index;
      CHECK_LT(position, answers.size()) << "slot " << chosen.slot;
      CHECK_EQ(answers[position].slot, chosen.slot);
      CHECK_EQ(answers[position].index, command.index);
      command.done({.kind = ProposalEnd::Kind::kApplied, .answer = std::move(answers[position].bytes)});
    }
  }
}

void Node::TellEnds(Output& out) {
  for (const DroppedProposal& dropped : out.dropped) {
    auto queued = queued_.extract(dropped.id.value());
    CHECK(!queued.empty()) << "an unknown proposal was dropped: " << dropped.id;
    const bool expired = dropped.reason == DroppedProposal::Reason::kDeadline;
    queued.mapped()({.kind = expired ? ProposalEnd::Kind::kDeadline : ProposalEnd::Kind::kNotLeader, .answer = {}});
  }
  for (const ReadGrant& grant : out.reads) {
    auto reading = reading_.extract(grant.id.value());
    CHECK(!reading.empty()) << "an unknown read was granted: " << grant.id;
    if (grant.slot <= state_machine_.applied()) {
      reading.mapped()({.granted = true});
    } else {
      RARE_CASE("a granted read waited for the state machine");
      granted_[grant.slot].push_back(std::move(reading.mapped()));
    }
  }
  for (const RefusedRead& refused : out.refused_reads) {
    auto reading = reading_.extract(refused.id.value());
    CHECK(!reading.empty()) << "an unknown read was refused: " << refused.id;
    reading.mapped()({.granted = false, .reason = refused.reason});
  }
}

Time Node::NextDeadline() const {
  const Time next = replica_.NextDeadline();
  return proposed_.empty() && granted_.empty() ? next : std::min(next, LosesSightAt());
}

Time Node::LosesSightAt() const {
  return proposed_.empty() ? IsAloneFrom() : std::min(IsAloneFrom(), led_until_ + hand_over_max());
}

Time Node::IsAloneFrom() const { return replica_.is_halted() ? Time::min() : replica_.CutOffAt(); }

void Node::LoseSight() {
  const Time now = clock_.Now();
  if (replica_.role() == Role::kLeader) led_until_ = now;
  if ((proposed_.empty() && granted_.empty()) || now < LosesSightAt()) return;
  RARE_CASE("a former leader lost sight of what it had proposed");
  for (const auto& [slot, commands] : std::exchange(proposed_, {})) {
    for (const Proposed& command : commands) command.done({.kind = ProposalEnd::Kind::kUnknown, .answer = {}});
  }
  if (now < IsAloneFrom()) return;
  for (const auto& [slot, reads] : std::exchange(granted_, {})) {
    for (const OnReadEnd& done : reads) done({.granted = false, .reason = RefusedRead::Reason::kNoLeader});
  }
}

void Node::ReadLog(const LogRead& read) {
  const StatusOr<std::vector<Vote>> votes = log_.Read(read.first_slot, read.last_slot, read.bytes_max);
  // A record that was written and cannot be read back: this node's disk lies.
  CHECK(votes.ok()) << votes.status();
  std::vector<SlotEntry> entries;
  for (const Vote& vote : *votes) entries.push_back({.slot = vote.slot, .entry = vote.entry});
  replica_.OnLogRead(read, std::move(entries), clock_.Now(), out_);
}

void Node::Publish() {
  const Time until = replica_.LeaseUntil();
  const LeaseView view = until == Time::min()
                             ? LeaseView()
                             : LeaseView{.ballot = replica_.ballot(), .until = until, .index = replica_.chosen_index()};
  if (view == last_published_) return;
  last_published_ = view;
  published_.Publish(view);
}

ReadCounts Node::read_counts() const {
  ReadCounts counts = replica_.read_counts();
  counts.under_lease += reads_under_lease_;
  return counts;
}

void Node::NoteLeadership() {
  const std::pair now{replica_.leader(), replica_.ballot()};
  if (now == last_leadership_) return;
  last_leadership_ = now;
  ++leadership_changes_;
}

bool Node::IsEmpty(const Output& out) {
  return out.messages.empty() && out.records.empty() && out.entries.empty() && out.reads.empty() &&
         out.refused_reads.empty() && out.placements.empty() && out.dropped.empty() && out.log_reads.empty() &&
         out.problems.empty();
}

}  // namespace decree::paxos
