#include "tests/sim/sim_node.h"

#include <algorithm>
#include <utility>

#include <glog/logging.h>

namespace decree::sim {
namespace {

constexpr char kLogDirectory[] = "log";
constexpr char kCluster[] = "simulated";

Time DrawClockStart(Random& random) { return Time(random.Between(Seconds(1), Seconds(1'000'000))); }

}  // namespace

SimNode::SimNode(World& world, paxos::NodeId id, Random random)
    : world_(world),
      id_(id),
      random_(random),
      clock_(world.queue, DrawClockStart(random_)),
      disk_(random_.Fork()),
      files_(disk_.files(), [this](auto operation) { return OnDiskOperation(operation); }),
      restart_max_(world.swarm.restart_max),
      sync_max_(world.swarm.sync_max) {
  Format();
}

void SimNode::Format() {
  incarnation_ = paxos::Incarnation(random_.Next() | 1);
  const paxos::LogIdentity identity{
      .cluster = kCluster, .node = id_, .incarnation = incarnation_, .founding = world_.swarm.founding};
  const Status formatted = paxos::SegmentLog::Format(disk_.files(), kLogDirectory, identity);
  CHECK(formatted.ok()) << formatted;
}

uint64_t SimNode::life() const { return process_->node->replica().self().life.value(); }

// ---- The process ----

void SimNode::Boot() {
  CHECK(!IsUp());
  clock_.BeginEvent();
  try {
    StartProcess();
  } catch (const paxos::SimulatedCrash&) {
    world_.trace.Count("crash during recovery");
    return Die(disk_.DrawDeath());
  }
  world_.trace.Print([&](auto& out) { out << 'n' << id_ << " starts"; });
  world_.trace.Count("start");
  FinishStep();
}

void SimNode::StartProcess() {
  auto process = std::make_unique<Process>();
  StatusOr<std::unique_ptr<paxos::SegmentLog>> log = paxos::SegmentLog::Open(files_, kLogDirectory, world_.swarm.log);
  CHECK(log.ok()) << "n" << id_ << " does not start: " << log.status();
  process->log = *std::move(log);
  if (process->log->recovered().torn_tail) world_.trace.Count("torn write cut off");
  process->machine = std::make_unique<SimMachine>(
      files_, paxos::EncodeOwner(process->log->identity()),
      [this](auto slots, uint64_t digest) { world_.oracle.OnApplied(id_, slots, digest); });
  StatusOr<std::unique_ptr<paxos::Node>> node =
      paxos::Node::Start(world_.swarm.options, *process->log, *process->machine, *this, clock_,
                         paxos::Life(random_.Next() | 1), random_.Next());
  CHECK(node.ok()) << "n" << id_ << " does not start: " << node.status();
  process->node = *std::move(node);
  const paxos::Slot last = process->log->recovered().last_slot;
  const StatusOr<std::vector<paxos::Vote>> votes =
      process->log->Read(paxos::kFirstSlot, last, std::numeric_limits<size_t>::max());
  CHECK(votes.ok()) << votes.status();
  world_.oracle.OnStart(process->node->replica(), *votes);
  last_role_ = paxos::Role::kFollower;
  process_ = std::move(process);
}

void SimNode::DieFor(Death death, Duration away_max) {
  const bool power_loss = death == Death::kPowerLoss;
  world_.trace.Count(power_loss ? "power loss" : "kill");
  world_.trace.Print([&](auto& out) { out << 'n' << id_ << (power_loss ? " loses power" : " is killed"); });
  process_.reset();
  inbox_.clear();
  disk_.Crash(death);
  disk_fails_after_ = 0;
  world_.oracle.OnCrash(id_);
  wake_at_ = Instant::max();
  // At least a little later than whatever the dying process had under way.
  const Duration away = clock_.spent() + random_.Between(Milliseconds(1), away_max);
  busy_until_ = world_.queue.now() + away;
  worked_until_ = busy_until_;
  BootAfter(away);
}

void SimNode::BootAfter(Duration delay) {
  world_.queue.After(delay, [this] {
    if (!IsUp() && !is_away_) Boot();
  });
}

void SimNode::Leave() {
  is_away_ = true;
  if (IsUp()) Die(Death::kPowerLoss);
}

void SimNode::Return() {
  is_away_ = false;
  BootAfter(std::max(Duration(0), busy_until_ - world_.queue.now()));
}

void SimNode::ReplaceDisk() {
  DieFor(Death::kKilled, restart_max_);
  disk_.Replace();
  world_.oracle.OnNewDisk(id_);
  Format();
}

void SimNode::Pause(Duration duration) { busy_until_ = std::max(busy_until_, world_.queue.now()) + duration; }

void SimNode::AtRest(std::function<void()> action) {
  if (worked_until_ <= world_.queue.now()) return action();
  world_.queue.At(worked_until_, [this, action = std::move(action)] { AtRest(action); });
}

void SimNode::SetClockRate(int64_t ppm) {
  AtRest([this, ppm] {
    clock_.SetRate(ppm);
    OnClockChanged();
  });
}

void SimNode::LeapClock(Duration ahead) {
  AtRest([this, ahead] {
    if (world_.queue.now() < leaps_after_) return;
    leaps_after_ = world_.queue.now() + 2 * world_.swarm.founding.lease;
    clock_.Leap(ahead);
    OnClockChanged();
  });
}

void SimNode::OnClockChanged() {
  if (!IsUp()) return;
  NoteLease(clock_.Now());
  WakeForDeadline();
}

void SimNode::StopFaults() {
  disk_.StopFaults();
  disk_fails_after_ = 0;
  sync_max_ = Milliseconds(1);
  restart_max_ = Milliseconds(100);
  // A pause is cut short; what the process has done took the time that it took.
  busy_until_ = std::max(worked_until_, std::min(busy_until_, world_.queue.now() + Seconds(1)));
  if (IsUp()) WakeForDeadline();
}

// ---- Inputs ----

void SimNode::Receive(const paxos::Envelope& envelope) {
  Do([envelope](paxos::Node& node) { node.OnMessage(envelope); });
}

void SimNode::Do(Input input) {
  if (!IsUp()) return;
  inbox_.push_back(std::move(input));
  WakeAt(std::max(world_.queue.now(), busy_until_));
}

void SimNode::WakeAt(Instant when) {
  if (when >= wake_at_) return;
  wake_at_ = when;
  world_.queue.At(when, [this, when] {
    if (!IsUp() || wake_at_ != when) return;  // Overtaken by an earlier call, or by a death.
    wake_at_ = Instant::max();
    TakeTurn();
  });
}

void SimNode::WakeForDeadline() {
  const Time deadline = process_->node->NextDeadline();
  if (deadline != kTimeNever) WakeAt(std::max(clock_.WhenShows(deadline), busy_until_));
  if (!inbox_.empty()) WakeAt(std::max(world_.queue.now(), busy_until_));
}

void SimNode::TakeTurn() {
  if (busy_until_ > world_.queue.now()) return WakeAt(busy_until_);  // Paused meanwhile.
  clock_.BeginEvent();
  try {
    // Sometimes a turn takes in only a part of what waits.
    size_t inputs = random_.Chance(0.8) ? inbox_.size() : random_.Below(inbox_.size() + 1);
    for (; inputs > 0; --inputs) {
      const Input input = std::move(inbox_.front());
      inbox_.pop_front();
      input(*process_->node);
    }
    process_->node->Turn();
    if (inbox_.empty() && random_.Chance(0.5)) process_->log->OnIdle();
  } catch (const paxos::SimulatedCrash&) {
    world_.trace.Count("crash in the middle of a turn");
    return Die(disk_.DrawDeath());
  }
  FinishStep();
}

void SimNode::FinishStep() {
  worked_until_ = world_.queue.now() + clock_.spent();
  busy_until_ = std::max(busy_until_, worked_until_);
  const paxos::Replica& replica = process_->node->replica();
  const Time local_now = clock_.Now();
  world_.oracle.OnStep(replica, local_now, world_.swarm.options);
  for (const std::string& problem : process_->node->TakeProblems()) {
    LOG(FATAL) << "n" << id_ << " finds fault where nobody lies: " << problem;
  }
  NoteLease(local_now);
  world_.trace.Mix(id_.value(), replica.chosen_index().value() ^ replica.promised().round << 32);
  NoteRole();
  clock_.BeginEvent();
  WakeForDeadline();
}

void SimNode::NoteLease(Time local_now) {
  const Duration left = process_->node->replica().LeaseLeft(local_now);
  world_.oracle.OnLease(id_, busy_until_, left > Duration::zero() ? clock_.WhenShows(local_now + left) : Instant());
}

void SimNode::NoteRole() {
  const paxos::Role role = process_->node->replica().role();
  if (role == last_role_) return;
  last_role_ = role;
  if (role == paxos::Role::kLeader) {
    world_.trace.Count("leader elected");
    world_.on_new_leader(*this);
  }
  world_.trace.Print([&](auto& out) {
    out << 'n' << id_ << " is a " << RoleName(role) << " now, ballot " << process_->node->replica().ballot();
  });
}

void SimNode::Send(paxos::Envelope envelope) {
  world_.oracle.OnSend(process_->node->replica(), envelope);
  world_.network->Send(envelope, clock_.spent());
}

bool SimNode::OnDiskOperation(TimedFileSystem::Operation operation) {
  if (operation == TimedFileSystem::Operation::kSync) {
    clock_.Spend(random_.Between(Duration(0), sync_max_));
  }
  if (disk_fails_after_ == 0 || --disk_fails_after_ > 0) return true;
  world_.trace.Count("failing disk");
  if (operation == TimedFileSystem::Operation::kSync) disk_.FailNextSync();
  return false;
}

}  // namespace decree::sim
