// The part of SimClient that keeps a session, settles what was given up, and sends old copies.

#include <algorithm>
#include <utility>

#include <glog/logging.h>

#include "kv/sessions.h"
#include "tests/sim/sim_client.h"

namespace decree::sim {
namespace {

using v1::CommandResult;

constexpr Duration kErrandMax = Seconds(6);

}  // namespace

void SimClient::StartInSession(const CallPtr& call) {
  if (session_.id == 0) {
    waiting_.push_back(call);
    return OpenSession();
  }
  call->command.set_session(session_.id);
  call->command.set_number(session_.numbers.Take());
  // It may be settled before an attempt sets this, and have that of an earlier session.
  call->command.set_first_unanswered(session_.numbers.floor());
  Attempt(call);
}

void SimClient::OpenSession() {
  if (std::exchange(is_opening_, true)) return;
  auto errand = std::make_shared<Errand>();
  // Some clients are one owner.
  errand->command.mutable_open_session()->set_owner(StrCat("owner", id_ / 2));
  *errand->command.mutable_open_session()->mutable_limits() = kv::ToWire(world_.swarm.sessions);
  errand->give_up = world_.queue.now() + kErrandMax;
  errand->done = [this](const WriteAnswer* answer) { OnSessionOpened(answer); };
  Run(errand);
}

void SimClient::OnSessionOpened(const WriteAnswer* answer) {
  is_opening_ = false;
  const bool is_open = answer != nullptr && answer->result.refusal() == CommandResult::REFUSAL_NONE;
  if (is_open) {
    world_.trace.Count("session opened");
    session_ = {.id = answer->result.session(), .numbers = {}};
  }
  for (const CallPtr& call : std::exchange(waiting_, {})) {
    if (!is_open && world_.queue.now() >= call->give_up) {
      EndUnanswered(call);
    } else if (is_open) {
      StartInSession(call);
    } else {
      waiting_.push_back(call);
    }
  }
  if (waiting_.empty() || session_.id != 0) return;
  // Too many sessions: some will expire.
  world_.queue.After(random_.Between(Milliseconds(50), Seconds(1)), [this] {
    if (session_.id == 0) OpenSession();
  });
}

void SimClient::CloseSession() {
  if (session_.id == 0 || !session_.numbers.IsIdle()) return;
  auto errand = std::make_shared<Errand>();
  errand->command.mutable_close_session();
  errand->command.set_session(session_.id);
  errand->give_up = world_.queue.now() + kErrandMax;
  errand->done = [](const WriteAnswer*) {};
  session_ = Session();
  Run(errand);
}

void SimClient::OnSessionUnknown(const CallPtr& call) {
  world_.trace.Count("session expired");
  if (session_.id == call->command.session()) session_ = Session();
  // An earlier copy may have been carried out before the session expired.
  if (call->may_be_proposed) return EndUnanswered(call);
  ++call->attempt;  // The timeout of this one is void.
  StartInSession(call);
}

// ---- Settling ----

void SimClient::Settle(const CallPtr& call) {
  ++call->attempt;  // The timeout of the last one is void; its answer still counts.
  auto errand = std::make_shared<Errand>();
  errand->command.mutable_settle();
  errand->command.set_session(call->command.session());
  errand->command.set_number(call->command.number());
  errand->command.set_first_unanswered(call->command.first_unanswered());
  errand->give_up = world_.queue.now() + kErrandMax;
  errand->done = [this, call](const WriteAnswer* answer) { OnSettled(call, answer); };
  Run(errand);
}

void SimClient::OnSettled(const CallPtr& call, const WriteAnswer* answer) {
  const bool is_told = answer != nullptr && answer->result.refusal() == CommandResult::REFUSAL_NONE;
  const bool is_settled = is_told && answer->result.settled().refusal() == CommandResult::REFUSAL_SETTLED;
  if (call->finished) {
    CHECK(!is_settled || EntryOf(*call).ending != check::Ending::kAnswered)
        << "settled after it was carried out: " << EntryOf(*call);
    return;
  }
  if (!is_told) return EndUnanswered(call);
  world_.trace.Count("request settled");
  if (!is_settled) return OnEnd(call, answer->result.settled(), answer->previous);
  call->is_settled = true;
  call->may_be_proposed = false;
  EndUnanswered(call);
}

// ---- Old copies ----

void SimClient::ReplayLater(const Call& call, const CommandResult* result) {
  if (!IsInSession(call) || !random_.Chance(world_.swarm.replay_share)) return;
  std::optional<std::string> first;
  if (result != nullptr) first = result->SerializeAsString();
  SimNode& node = *nodes_[random_.Below(nodes_.size())];
  world_.queue.After(random_.Between(Milliseconds(10), Seconds(10)),
                     [this, first, bytes = call.command.SerializeAsString(), &node] {
                       node.Do([this, first, bytes](paxos::Node& process) {
                         process.Propose(bytes, kTimeNever, [this, first](const paxos::ProposalEnd& end) {
                           if (end.kind != paxos::ProposalEnd::Kind::kApplied) return;
                           CommandResult replayed;
                           CHECK(replayed.ParseFromString(end.answer));
                           ExpectReplay(replayed, first);
                         });
                       });
                     });
}

void SimClient::ExpectReplay(const CommandResult& replayed, const std::optional<std::string>& first) {
  world_.trace.Count("old copy answered");
  switch (replayed.refusal()) {
    case CommandResult::REFUSAL_SESSION_UNKNOWN:
    case CommandResult::REFUSAL_BELOW_FLOOR:
    case CommandResult::REFUSAL_SETTLED:
      return;
    default:
      break;
  }
  // One that was given up may only now have been carried out, for the first time.
  if (!first.has_value()) return;
  CHECK(replayed.SerializeAsString() == *first)
      << "another answer than the first time: " << replayed.ShortDebugString();
}

// ---- Errands ----

void SimClient::Run(const ErrandPtr& errand) {
  if (errand->finished) return;
  if (world_.queue.now() >= errand->give_up) {
    errand->finished = true;
    return errand->done(nullptr);
  }
  world_.queue.After(random_.Between(Milliseconds(300), Seconds(2)), [this, errand] { Run(errand); });
  if (world_.network->DrawLoss()) return;
  SimNode& node = PickNode();
  world_.queue.After(world_.network->DrawDelay(), [this, errand, &node] {
    node.Do([this, errand, &node](paxos::Node& process) {
      NoteLeader(process);
      process.Propose(errand->command.SerializeAsString(), kTimeNever,
                      [this, errand, &node](const paxos::ProposalEnd& end) {
                        if (end.kind != paxos::ProposalEnd::Kind::kApplied) return;
                        Return(node, [errand, answer = node.ReadAnswer(end.answer)] {
                          if (std::exchange(errand->finished, true)) return;
                          errand->done(&answer);
                        });
                      });
    });
  });
}

}  // namespace decree::sim
