#pragma once
// The clients' sessions: which requests were carried out, and how they ended, so that one that is sent
// again is answered and not carried out again.
//
// A client numbers its requests and tells with each the lowest number that it still waits for, its
// floor. The table keeps the answer to every number from the floor on, refusals too, together with a
// hash of the request. Below the floor nothing is known any more, so nothing is carried out there.
// Floors never fall. A session that is not used for long, in log time, is forgotten as a whole; no
// single answer of a live one ever is.
//
// Part of the replicated state: all that is decided here follows from the commands and their order.
// (Ongaro, "Consensus: Bridging Theory and Practice", §6.3.) Passive, for the applying thread.

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "decree/v1/log.pb.h"
#include "kv/answer_block.h"
#include "kv/overlay.h"
#include "kv/session_owners.h"
#include "kv/store.h"
#include "paxos/base/ids.h"
#include "paxos/base/status.h"

namespace decree::kv {

// The limits are part of the state: they come with the first session that is opened, and stay. So a store that another
// version of this program rebuilds from the log has the same.
struct SessionLimits {
  uint64_t sessions = 100'000;
  // How far above its floor a session's request numbers may go.
  uint64_t window = 65'536;
  // How many bytes of answers a session may have before it must raise its floor, and how many all sessions may have
  // before none may exceed its share.
  uint64_t answer_bytes = 8 << 20;
  uint64_t answer_bytes_total = 64 << 20;
  // After how many nanoseconds of log time without use a session is forgotten.
  uint64_t idle_time = 600'000'000'000;

  friend bool operator==(const SessionLimits&, const SessionLimits&) = default;
};

v1::SessionLimits ToWire(const SessionLimits& limits);
// Nothing if the bytes make no sense.
std::optional<SessionLimits> FromWire(const v1::SessionLimits& limits);

// What is known of a session's request.
enum class RequestFate {
  kUnknownSession,  // never was, was closed, or has expired
  kBelowFloor,      // the client has said that it has the answer
  kNotYet,          // it was not carried out, but a copy of it may be under way
  kEnded,           // it has its answer; a refusal if it was settled
};

// One request of a session.
struct SessionRequest {
  uint64_t session = 0;
  uint64_t number = 0;
  uint64_t floor = 0;
  uint64_t hash = 0;  // of what is asked, not 0
};

class Sessions {
 public:
  enum class Verdict {
    kNew,       // It is to be carried out, and its result kept.
    kRepeated,  // It was carried out; here is its answer.
    kUnknown,   // There is no such session: never was, was closed, or has expired.
    kBelowFloor,
    kFull,     // There is no room for its answer; the client sends it again under the same number.
    kReused,   // Another request had this number.
    kSettled,  // It never will be carried out.
  };

  // Reads the table out of the store.
  static StatusOr<Sessions> Load(const Store& store);

  // Adds a session. If there are too many, another is forgotten for it (session_owners.h); false if none can be.
  bool Open(uint64_t session, const v1::OpenSessionOperation& operation, paxos::LogTime now, Overlay& overlay);
  // False if there is no such session.
  bool Close(uint64_t session, paxos::LogTime now, Overlay& overlay);
  // Forgets a bounded number of the sessions that have not been used for too long. The rest goes with the next slots,
  // and counts as gone for everybody who asks.
  void Expire(paxos::LogTime now, Overlay& overlay);

  // Raises the session's floor, unless the request itself lies below the one that it names, and says what
  // is to be done with the request. `answer` is set for kRepeated.
  Verdict Admit(const SessionRequest& request, paxos::LogTime now, Overlay& overlay, std::string& answer);
  // Keeps how a request that was new has ended.
  void Keep(const SessionRequest& request, std::string_view result, Overlay& overlay);
  // How the request of this number ended; nothing if it has not. The session must exist.
  std::optional<std::string> Find(uint64_t session, uint64_t number, Overlay& overlay) const;
  // What is known of a request between slots.
  RequestFate FateOf(uint64_t session, uint64_t number, paxos::LogTime now) const;
  // A request that has ended: the block that holds its answer, and the hash of what was asked.
  struct Kept {
    uint64_t block = 0;
    uint64_t hash = 0;  // 0: it was settled before it came
  };
  const Kept& KeptOf(uint64_t session, uint64_t number) const;
  // Makes sure that a request of this number is not carried out any more.
  void Settle(uint64_t session, uint64_t number, std::string_view result, Overlay& overlay);

  // Adds the slot's answers to the batch. Call it at the end of each slot.
  void EndSlot(Overlay& overlay);
  // Adds the sessions that have changed to the batch.
  void Write(Overlay& overlay);

  // How full the table is.
  struct Usage {
    size_t sessions = 0;
    size_t sessions_max = 0;  // 0: no session was ever opened
    std::string greatest;     // the owner who has the most
    size_t of_greatest = 0;
    uint64_t ended_for_others = 0;  // since the start of this process
  };
  Usage usage() const;

 private:
  // Answers that are one record of the store, which goes when the floor has passed them all. A session knows a block
  // by the number of its first answer.
  struct Block {
    uint32_t kept = 0;    // of its answers; the floor has passed the others
    uint64_t weight = 0;  // of all
  };
  struct Session {
    uint64_t floor = 1;
    std::string owner;
    bool was_used = false;
    paxos::LogTime used;            // roughly: a little too early
    std::map<uint64_t, Kept> kept;  // by number
    std::map<uint64_t, Block> blocks;
    uint64_t answer_bytes = 0;  // of all blocks
  };
  // A block that more answers of the same slot may join.
  struct OpenBlock {
    uint64_t first = 0;
    std::string bytes;
  };

  Sessions() = default;

  static SessionOwners::Owned OwnedBy(uint64_t id, const Session& session) {
    return {.owner = session.owner, .session = id, .used = session.used, .was_used = session.was_used};
  }
  void Add(uint64_t id, Session session);
  bool MakeRoom(const std::string& owner, paxos::LogTime now, Overlay& overlay);
  void Touch(uint64_t id, Session& session, paxos::LogTime now);
  void RaiseFloor(uint64_t id, Session& session, uint64_t floor, Overlay& overlay);
  void DropFirstAnswer(uint64_t id, Session& session, Overlay& overlay);
  void KeepAnswer(uint64_t id, uint64_t number, const SessionAnswer& answer, Overlay& overlay);
  // Adds an answer; false if there is one to this number already.
  bool NoteAnswer(Session& session, uint64_t number, const Kept& kept, size_t result_bytes);
  Status LoadBlock(uint64_t id, uint64_t first, std::string_view bytes);
  // Forgets a session; returns how many answers went with it.
  size_t Forget(uint64_t id, Session& session, Overlay& overlay);
  bool IsOver(paxos::LogTime used, paxos::LogTime now) const;
  // Null if there is no such session, or if its time is over.
  Session* FindLive(uint64_t id, paxos::LogTime now);
  bool HasRoom(const Session& session, uint64_t number) const;

  std::optional<SessionLimits> limits_;  // none before the first session
  std::unordered_map<uint64_t, Session> sessions_;
  std::set<std::pair<paxos::LogTime, uint64_t>> by_use_;
  SessionOwners owners_;
  std::set<uint64_t> changed_;          // not written yet
  std::map<uint64_t, OpenBlock> open_;  // of the slot that is being applied, by session
  uint64_t answer_bytes_ = 0;
  uint64_t ended_for_others_ = 0;
};

// ---- What the store holds, for readers ----

struct SessionRecord {
  uint64_t floor = 1;
  paxos::LogTime used;
  bool was_used = false;
  std::string owner;
};

std::string EncodeSessionRecord(const SessionRecord& record);
StatusOr<SessionRecord> DecodeSessionRecord(std::string_view bytes);

}  // namespace decree::kv
