#include "kv/sessions.h"

#include <algorithm>

#include <glog/logging.h>

#include "kv/key_codec.h"
#include "paxos/base/byte_reader.h"
#include "paxos/base/planted_bug.h"
#include "paxos/base/probe.h"

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

// So that replicas which disagree about a session are found out.
void DigestSession(uint64_t session, uint64_t what, Overlay& overlay) {
  std::string bytes;
  PutU64(bytes, session);
  PutU64(bytes, what);
  overlay.Digest(bytes);
}

}  // namespace

// ---- Opening and forgetting ----

StatusOr<Sessions> Sessions::Load(const Store& store, const SessionLimits& limits) {
  Sessions table(limits);
  const auto snapshot = store.TakeSnapshot();
  Status status;
  snapshot->Scan(SessionKey(0), SessionsEnd(), [&](std::string_view key, std::string_view bytes) {
    const StatusOr<SessionRecord> record = DecodeSessionRecord(bytes);
    if (!record.ok()) {
      status = record.status();
      return false;
    }
    const uint64_t id = SessionOf(key);
    table.sessions_[id] = {.floor = record->floor, .used = record->used, .kept = {}};
    table.by_use_.emplace(record->used, id);
    return true;
  });
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

bool Sessions::Open(uint64_t session, paxos::LogTime now, Overlay& overlay) {
  if (sessions_.size() >= limits_.sessions) {
    PROBE("a session was refused because there are too many");
    return false;
  }
  const auto [position, is_new] = sessions_.try_emplace(session, Session{.used = now, .kept = {}});
  CHECK(is_new) << "session " << session << " is opened twice";
  by_use_.emplace(now, session);
  changed_.insert(session);
  DigestSession(session, 0, overlay);
  return true;
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
    PROBE("a session expired");
    work += 1 + Forget(session, sessions_.at(session), overlay);
  }
}

bool Sessions::IsOver(paxos::LogTime used, paxos::LogTime now) const {
  return now.value() - used.value() > limits_.idle_time;
}

Sessions::Session* Sessions::FindLive(uint64_t id, paxos::LogTime now) {
  const auto found = sessions_.find(id);
  return found == sessions_.end() || IsOver(found->second.used, now) ? nullptr : &found->second;
}

size_t Sessions::Forget(uint64_t id, Session& session, Overlay& overlay) {
  const size_t answers = session.kept.size();
  while (!session.kept.empty()) DropFirstAnswer(id, session, overlay);
  by_use_.erase({session.used, id});
  changed_.erase(id);
  sessions_.erase(id);
  overlay.RemoveSession(id);
  return answers;
}

// ---- Requests ----

Sessions::Verdict Sessions::Admit(const SessionRequest& request, paxos::LogTime now,
                                  Overlay& overlay, std::string& answer) {
  Session* const live = FindLive(request.session, now);
  if (live == nullptr) {
    PROBE("a request came to a session that is not there any more");
    return Verdict::kUnknown;
  }
  // It contradicts itself, and must not take the floor away under the others.
  if (request.number < request.floor && !IsPlanted(PlantedBug::kFloorIgnored)) return Verdict::kBelowFloor;
  Session& session = *live;
  Touch(request.session, session, now);
  if (request.floor > session.floor) {
    RaiseFloor(request.session, session, request.floor, overlay);
  }
  if (request.number < session.floor && !IsPlanted(PlantedBug::kFloorIgnored)) {
    PROBE("a request came below its session's floor");
    return Verdict::kBelowFloor;
  }
  if (const auto kept = session.kept.find(request.number); kept != session.kept.end()) {
    if (kept->second.hash == 0) return Verdict::kSettled;
    if (kept->second.hash != request.hash) return Verdict::kReused;
    PROBE("a repeated request was answered from its session");
    answer = *Find(request.session, request.number, overlay);
    return Verdict::kRepeated;
  }
  if (!HasRoom(session, request.number)) {
    PROBE("a request was refused because its session is full");
    return Verdict::kFull;
  }
  return Verdict::kNew;
}

// The floor itself always has room, or it could never rise: of a session there is one such answer at a time.
bool Sessions::HasRoom(const Session& session, uint64_t number) const {
  if (number == session.floor) return true;
  if (number - session.floor >= limits_.window || session.answer_bytes >= limits_.answer_bytes) return false;
  const uint64_t share = limits_.answer_bytes_total / limits_.sessions;
  return answer_bytes_ < limits_.answer_bytes_total || session.answer_bytes <= share;
}

void Sessions::Touch(uint64_t id, Session& session, paxos::LogTime now) {
  if (now.value() - session.used.value() < limits_.idle_time / kUseSteps) return;
  by_use_.erase({session.used, id});
  session.used = now;
  by_use_.emplace(now, id);
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
  KeepAnswer(request.session, request.number + wrong,
             {.hash = request.hash, .result = std::string(result)}, overlay);
}

void Sessions::Settle(uint64_t session, uint64_t number, std::string_view result,
                      Overlay& overlay) {
  KeepAnswer(session, number, {.hash = 0, .result = std::string(result)}, overlay);
}

void Sessions::KeepAnswer(uint64_t id, uint64_t number, const SessionAnswer& answer,
                          Overlay& overlay) {
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
    overlay.PutSession(id, EncodeSessionRecord({.floor = session.floor, .used = session.used}));
  }
  changed_.clear();
}

// ---- Bytes ----

std::string EncodeSessionLimits(const SessionLimits& limits) {
  std::string out;
  for (const uint64_t value : {limits.sessions, limits.window, limits.answer_bytes,
                               limits.answer_bytes_total, limits.idle_time}) {
    PutU64(out, value);
  }
  return out;
}

StatusOr<SessionLimits> DecodeSessionLimits(std::string_view bytes) {
  ByteReader reader(bytes);
  SessionLimits limits;
  limits.sessions = reader.U64();
  limits.window = reader.U64();
  limits.answer_bytes = reader.U64();
  limits.answer_bytes_total = reader.U64();
  limits.idle_time = reader.U64();
  if (!reader.AtEnd()) return absl::DataLossError("the store's session limits are malformed");
  return limits;
}

std::string EncodeSessionRecord(const SessionRecord& record) {
  std::string out;
  PutU64(out, record.floor);
  PutU64(out, record.used.value());
  return out;
}

StatusOr<SessionRecord> DecodeSessionRecord(std::string_view bytes) {
  ByteReader reader(bytes);
  SessionRecord record;
  record.floor = reader.U64();
  record.used = paxos::LogTime(reader.U64());
  if (!reader.AtEnd()) return absl::DataLossError("a session record of the store is malformed");
  return record;
}

}  // namespace decree::kv
