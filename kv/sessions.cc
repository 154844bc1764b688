#include "kv/sessions.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <glog/logging.h>

#include "kv/key_codec.h"
#include "paxos/base/byte_reader.h"
#include "paxos/base/planted_bug.h"
#include "paxos/base/rare_case.h"

namespace decree::kv {
namespace {

// What an answer counts beside its result.
constexpr uint64_t kOverheadBytes = 80;
// A block that has grown to this takes no more answers: whoever repeats a request reads them all.
constexpr size_t kBlockBytes = 16 << 10;
// So many sessions and answers are forgotten in one slot, and what a single session holds beyond: when thousands of
// clients went away together, each replica's loop must go on meanwhile.
constexpr size_t kExpiryWorkMax = 1024;
// The time of use is noted when it has moved by this part of the idle time, and not with each request.
constexpr uint64_t kUseSteps = 64;
// No limit is higher.
constexpr uint64_t kLimitMax = uint64_t{1} << 40;

// So that replicas which disagree about a session are found out.
void DigestSession(uint64_t session, uint64_t what, Overlay& overlay) {
  std::string bytes;
  PutU64(bytes, session);
  PutU64(bytes, what);
  overlay.Digest(bytes);
}

}  // namespace

// ---- Opening and forgetting ----

StatusOr<Sessions> Sessions::Load(const Store& store) {
  Sessions table;
  if (const auto bytes = store.Get(MetaKey(Meta::kSessionLimits))) {
    v1::SessionLimits limits;
    if (limits.ParseFromString(*bytes)) table.limits_ = FromWire(limits);
    if (!table.limits_.has_value()) return absl::DataLossError("the store's session limits are malformed");
  }
  const auto snapshot = store.TakeSnapshot();
  Status status;
  snapshot->Scan(SessionKey(0), SessionsEnd(), [&](std::string_view key, std::string_view bytes) {
    const StatusOr<SessionRecord> record = DecodeSessionRecord(bytes);
    if (!record.ok()) {
      status = record.status();
      return false;
    }
    table.Add(SessionOf(key), {.floor = record->floor,
                               .owner = record->owner,
                               .was_used = record->was_used && !IsPlanted(PlantedBug::kUseForgottenAtStart),
                               .used = record->used,
                               .kept = {}});
    return true;
  });
  RETURN_IF_ERROR(status);
  if (!table.sessions_.empty() && !table.limits_.has_value()) {
    return absl::DataLossError("the store has sessions, and no limits for them");
  }
  if (IsPlanted(PlantedBug::kSessionsForgottenAtStart)) return table;
  snapshot->Scan(AnswersKey(0, 0), AnswersEnd(), [&](std::string_view key, std::string_view bytes) {
    status = table.LoadBlock(SessionOfAnswers(key), FirstNumberOf(key), bytes);
    return status.ok();
  });
  RETURN_IF_ERROR(status);
  return table;
}

Status Sessions::LoadBlock(uint64_t id, uint64_t first, std::string_view bytes) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) {
    return absl::DataLossError("the store holds answers of a session that it does not know");
  }
  Session& session = found->second;
  bool is_new = true;
  RETURN_IF_ERROR(VisitAnswers(bytes, [&](uint64_t number, uint64_t hash, std::string_view result) {
    is_new = NoteAnswer(session, number, {.block = first, .hash = hash}, result.size()) && is_new;
  }));
  if (!is_new) return absl::DataLossError("the store holds two answers to one request");
  while (!session.kept.empty() && session.kept.begin()->first < session.floor) {
    session.kept.erase(session.kept.begin());
    --session.blocks.at(first).kept;
  }
  if (session.blocks.at(first).kept > 0) return OkStatus();
  return absl::DataLossError("the store holds answers that their session has dropped");
}

bool Sessions::Open(uint64_t session, const v1::OpenSessionOperation& operation, paxos::LogTime now, Overlay& overlay) {
  if (!limits_.has_value()) {
    limits_ = FromWire(operation.limits());
    CHECK(limits_.has_value()) << "the command was checked";
    const std::string bytes = ToWire(*limits_).SerializeAsString();
    overlay.PutMeta(Meta::kSessionLimits, bytes);
    overlay.Digest(bytes);
  }
  if (sessions_.size() >= limits_->sessions && !MakeRoom(operation.owner(), now, overlay)) {
    RARE_CASE("a session was refused because there are too many");
    return false;
  }
  Add(session, {.owner = operation.owner(), .used = now, .kept = {}});
  changed_.insert(session);
  DigestSession(session, 0, overlay);
  return true;
}

void Sessions::Add(uint64_t id, Session session) {
  by_use_.emplace(session.used, id);
  owners_.Add(OwnedBy(id, session));
  CHECK(sessions_.try_emplace(id, std::move(session)).second) << "session " << id << " is opened twice";
}

bool Sessions::MakeRoom(const std::string& owner, paxos::LogTime now, Overlay& overlay) {
  const uint64_t patience = limits_->idle_time / kUseSteps;
  const paxos::LogTime stale(now.value() - std::min(patience, now.value()));
  const std::optional<uint64_t> victim = owners_.Victim(owner, stale);
  if (!victim.has_value()) return false;
  RARE_CASE("a session was ended to make room for another owner's");
  ++ended_for_others_;
  Forget(*victim, sessions_.at(*victim), overlay);
  return true;
}

Sessions::Usage Sessions::usage() const {
  Usage usage{.sessions = sessions_.size(), .greatest = {}, .ended_for_others = ended_for_others_};
  if (limits_.has_value()) usage.sessions_max = limits_->sessions;
  if (const auto greatest = owners_.Greatest()) std::tie(usage.greatest, usage.of_greatest) = *greatest;
  return usage;
}

bool Sessions::Close(uint64_t id, paxos::LogTime now, Overlay& overlay) {
  Session* const session = FindLive(id, now);
  if (session == nullptr) return false;
  Forget(id, *session, overlay);
  return true;
}

void Sessions::Expire(paxos::LogTime now, Overlay& overlay) {
  size_t work = 0;
  while (!by_use_.empty() && work < kExpiryWorkMax) {
    const auto [used, session] = *by_use_.begin();
    if (!IsOver(used, now)) return;
    RARE_CASE("a session expired");
    work += 1 + Forget(session, sessions_.at(session), overlay);
  }
}

bool Sessions::IsOver(paxos::LogTime used, paxos::LogTime now) const {
  return now.value() - used.value() > limits_->idle_time;
}

Sessions::Session* Sessions::FindLive(uint64_t id, paxos::LogTime now) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() || IsOver(found->second.used, now) ? nullptr : &found->second;
}

size_t Sessions::Forget(uint64_t id, Session& session, Overlay& overlay) {
  const size_t answers = session.kept.size();
  while (!session.kept.empty()) DropFirstAnswer(id, session, overlay);
  by_use_.erase({session.used, id});
  owners_.Remove(OwnedBy(id, session));
  changed_.erase(id);
  sessions_.erase(id);
  overlay.RemoveSession(id);
  return answers;
}

// ---- Requests ----

Sessions::Verdict Sessions::Admit(const SessionRequest& request, paxos::LogTime now, Overlay& overlay,
                                  std::string& answer) {
  Session* const live = FindLive(request.session, now);
  if (live == nullptr) {
    RARE_CASE("a request came to a session that is not there any more");
    return Verdict::kUnknown;
  }
  // The command contradicts itself, and must not move the floor past the session's other requests.
  if (request.number < request.floor && !IsPlanted(PlantedBug::kFloorIgnored)) return Verdict::kBelowFloor;
  Session& session = *live;
  Touch(request.session, session, now);
  if (request.floor > session.floor) {
    RaiseFloor(request.session, session, request.floor, overlay);
  }
  if (request.number < session.floor && !IsPlanted(PlantedBug::kFloorIgnored)) {
    RARE_CASE("a request came below its session's floor");
    return Verdict::kBelowFloor;
  }
  if (const auto kept = session.kept.find(request.number); kept != session.kept.end()) {
    if (kept->second.hash == 0) return Verdict::kSettled;
    if (kept->second.hash != request.hash) return Verdict::kReused;
    RARE_CASE("a repeated request was answered from its session");
    answer = *Find(request.session, request.number, overlay);
    return Verdict::kRepeated;
  }
  if (!HasRoom(session, request.number)) {
    RARE_CASE("a request was refused because its session is full");
    return Verdict::kFull;
  }
  return Verdict::kNew;
}

// The floor itself always has room, or it could never rise: of a session there is one such answer at a time.
bool Sessions::HasRoom(const Session& session, uint64_t number) const {
  if (number == session.floor) return true;
  if (number - session.floor >= limits_->window || session.answer_bytes >= limits_->answer_bytes) return false;
  const uint64_t share = limits_->answer_bytes_total / limits_->sessions;
  return answer_bytes_ < limits_->answer_bytes_total || session.answer_bytes <= share;
}

void Sessions::Touch(uint64_t id, Session& session, paxos::LogTime now) {
  if (session.was_used && now.value() - session.used.value() < limits_->idle_time / kUseSteps) return;
  by_use_.erase({session.used, id});
  owners_.Remove(OwnedBy(id, session));
  session.used = now;
  session.was_used = true;
  by_use_.emplace(now, id);
  owners_.Add(OwnedBy(id, session));
  changed_.insert(id);
}

void Sessions::RaiseFloor(uint64_t id, Session& session, uint64_t floor, Overlay& overlay) {
  CHECK_GT(floor, session.floor);
  session.floor = floor;
  changed_.insert(id);
  DigestSession(id, floor, overlay);
  while (!session.kept.empty() && session.kept.begin()->first < floor) {
    DropFirstAnswer(id, session, overlay);
  }
}

void Sessions::DropFirstAnswer(uint64_t id, Session& session, Overlay& overlay) {
  const auto found = session.blocks.find(session.kept.begin()->second.block);
  session.kept.erase(session.kept.begin());
  if (--found->second.kept > 0) return;
  const auto [block, state] = *found;
  session.answer_bytes -= state.weight;
  answer_bytes_ -= state.weight;
  session.blocks.erase(found);
  const auto open = open_.find(id);
  if (open != open_.end() && open->second.first == block) {
    open_.erase(open);
  } else {
    overlay.RemoveAnswers(id, block);
  }
}

void Sessions::Keep(const SessionRequest& request, std::string_view result, Overlay& overlay) {
  CHECK_NE(request.hash, 0u);
  const uint64_t wrong = IsPlanted(PlantedBug::kAnswerUnderWrongNumber) ? 1 : 0;
  KeepAnswer(request.session, request.number + wrong, {.hash = request.hash, .result = std::string(result)}, overlay);
}

void Sessions::Settle(uint64_t session, uint64_t number, std::string_view result, Overlay& overlay) {
  KeepAnswer(session, number, {.hash = 0, .result = std::string(result)}, overlay);
}

void Sessions::KeepAnswer(uint64_t id, uint64_t number, const SessionAnswer& answer, Overlay& overlay) {
  Session& session = sessions_.at(id);
  CHECK_GE(number, session.floor) << "session " << id;
  const auto open = open_.try_emplace(id, OpenBlock{.first = number, .bytes = {}}).first;
  CHECK(NoteAnswer(session, number, {.block = open->second.first, .hash = answer.hash}, answer.result.size()))
      << "a second answer to request " << number << " of session " << id;
  AppendAnswer(number, answer, open->second.bytes);
  if (open->second.bytes.size() < kBlockBytes) return;
  overlay.PutAnswers(id, open->second.first, open->second.bytes);
  open_.erase(open);
}

bool Sessions::NoteAnswer(Session& session, uint64_t number, const Kept& kept, size_t result_bytes) {
  if (!session.kept.emplace(number, kept).second) return false;
  const uint64_t weight = result_bytes + kOverheadBytes;
  Block& state = session.blocks[kept.block];
  ++state.kept;
  state.weight += weight;
  session.answer_bytes += weight;
  answer_bytes_ += weight;
  return true;
}

std::optional<std::string> Sessions::Find(uint64_t session, uint64_t number, Overlay& overlay) const {
  const Session& state = sessions_.at(session);
  const auto kept = state.kept.find(number);
  if (kept == state.kept.end()) return std::nullopt;
  const uint64_t block = kept->second.block;
  const auto open = open_.find(session);
  const bool is_open = open != open_.end() && open->second.first == block;
  return RequireAnswer(is_open ? open->second.bytes : overlay.Answers(session, block), number);
}

RequestFate Sessions::FateOf(uint64_t session, uint64_t number, paxos::LogTime now) const {
  const auto found = sessions_.find(session);
  if (found == sessions_.end() || IsOver(found->second.used, now)) return RequestFate::kUnknownSession;
  if (number < found->second.floor) return RequestFate::kBelowFloor;
  return found->second.kept.contains(number) ? RequestFate::kEnded : RequestFate::kNotYet;
}

const Sessions::Kept& Sessions::KeptOf(uint64_t session, uint64_t number) const {
  return sessions_.at(session).kept.at(number);
}

void Sessions::EndSlot(Overlay& overlay) {
  for (const auto& [session, block] : open_) overlay.PutAnswers(session, block.first, block.bytes);
  open_.clear();
}

void Sessions::Write(Overlay& overlay) {
  for (const uint64_t id : changed_) {
    const Session& session = sessions_.at(id);
    overlay.PutSession(
        id, EncodeSessionRecord(
                {.floor = session.floor, .used = session.used, .was_used = session.was_used, .owner = session.owner}));
  }
  changed_.clear();
}

// ---- Bytes ----

v1::SessionLimits ToWire(const SessionLimits& limits) {
  v1::SessionLimits proto;
  proto.set_sessions(limits.sessions);
  proto.set_window(limits.window);
  proto.set_answer_bytes(limits.answer_bytes);
  proto.set_answer_bytes_total(limits.answer_bytes_total);
  proto.set_idle_time(limits.idle_time);
  return proto;
}

std::optional<SessionLimits> FromWire(const v1::SessionLimits& limits) {
  const SessionLimits result{.sessions = limits.sessions(),
                             .window = limits.window(),
                             .answer_bytes = limits.answer_bytes(),
                             .answer_bytes_total = limits.answer_bytes_total(),
                             .idle_time = limits.idle_time()};
  for (const uint64_t limit : {result.sessions, result.window, result.answer_bytes, result.answer_bytes_total}) {
    if (limit == 0 || limit > kLimitMax) return std::nullopt;
  }
  if (result.idle_time == 0) return std::nullopt;
  return result;
}

std::string EncodeSessionRecord(const SessionRecord& record) {
  std::string out;
  PutU64(out, record.floor);
  PutU64(out, record.used.value());
  PutU8(out, record.was_used ? 1 : 0);
  PutString(out, record.owner);
  return out;
}

StatusOr<SessionRecord> DecodeSessionRecord(std::string_view bytes) {
  ByteReader reader(bytes);
  SessionRecord record;
  record.floor = reader.U64();
  record.used = paxos::LogTime(reader.U64());
  record.was_used = reader.U8() != 0;
  record.owner = std::string(reader.String());
  if (!reader.AtEnd()) return absl::DataLossError("a session record of the store is malformed");
  return record;
}

}  // namespace decree::kv
