#pragma once
// The keys of the store; kv/README.md has the table.
//
// Every key begins with the number of its replicated log, 0 today. Clients' keys are arbitrary bytes:
// where something follows them they are escaped so that the order of the bytes is the order of
// (key, what follows).

#include <cstdint>
#include <string>
#include <string_view>

namespace decree::kv {

// A store revision and the position of a change within it.
struct Revision {
  uint64_t main = 0;
  uint32_t sub = 0;

  friend auto operator<=>(const Revision&, const Revision&) = default;
};

// The head of a client's key, which has the counters of what it holds now, and the end of all heads.
std::string HeadKey(std::string_view key);
std::string HeadsEnd();
// The client's key of a key made by HeadKey; a part of it.
std::string_view KeyOfHead(std::string_view head_key);
// What a revision has changed, in the order of the revisions.
std::string ChangeKey(Revision revision);
// A signpost into the key's chain of changes, to one that this revision made. Older ones come first.
std::string SignpostKey(std::string_view key, Revision revision);
// The end of the key's signposts, and the end of those of all keys.
std::string SignpostsEnd(std::string_view key);
std::string SignpostsEnd();
// The client's key and the revision of a key made by SignpostKey.
std::string KeyOfSignpost(std::string_view signpost_key);
Revision RevisionOfSignpost(std::string_view signpost_key);

// A session's record, and the end of all of them.
std::string SessionKey(uint64_t session);
std::string SessionsEnd();
// The session of a key made by SessionKey.
uint64_t SessionOf(std::string_view session_key);

// A block of a session's answers that begins with this number, and the end of all blocks.
std::string AnswersKey(uint64_t session, uint64_t first_number);
std::string AnswersEnd();
// The number and the session of a key made by AnswersKey.
uint64_t FirstNumberOf(std::string_view answers_key);
uint64_t SessionOfAnswers(std::string_view answers_key);

// The records that there is one of.
enum class Meta : char {
  kConfiguration = 'c',
  kOwner = 'o',
  kSessionLimits = 'l',
  kState = 's',
};
std::string MetaKey(Meta which);

}  // namespace decree::kv
