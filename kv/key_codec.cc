#include "kv/key_codec.h"

#include <glog/logging.h>

#include "paxos/base/ids.h"

namespace decree::kv {
namespace {

enum class Kind : char {
  kAnswer = 'a',
  kChange = 'r',
  kHead = 'h',
  kMeta = 'm',
  kSession = 's',
  kSignpost = 'v',
};

constexpr size_t kPrefixBytes = sizeof(uint32_t) + 1;
constexpr size_t kRevisionBytes = sizeof(uint64_t) + sizeof(uint32_t);
// The two bytes that end an escaped key.
constexpr size_t kMarkBytes = 2;

// Numbers are big-endian, so that the order of the bytes is that of the numbers.
template <typename Raw>
void PutOrdered(std::string& out, Raw value) {
  for (int shift = 8 * (sizeof(value) - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

template <typename Raw>
Raw GetOrdered(std::string_view bytes) {
  CHECK_GE(bytes.size(), sizeof(Raw));
  Raw value = 0;
  for (size_t i = 0; i < sizeof(Raw); ++i) {
    value = static_cast<Raw>(value << 8 | static_cast<unsigned char>(bytes[i]));
  }
  return value;
}

std::string Prefix(Kind kind, size_t bytes_behind) {
  std::string out;
  out.reserve(kPrefixBytes + bytes_behind);
  PutOrdered(out, paxos::kGroup.value());
  out.push_back(static_cast<char>(kind));
  return out;
}

// The end of all keys of this kind.
std::string EndOf(Kind kind) {
  std::string out = Prefix(kind, 0);
  ++out.back();
  return out;
}

// A zero byte becomes 00 ff, and the end is marked by 00 01: no key is a prefix of another.
void PutEscaped(std::string& out, std::string_view key) {
  for (const char byte : key) {
    out.push_back(byte);
    if (byte == '\0') out.push_back('\xff');
  }
  out.push_back('\0');
  out.push_back('\x01');
}

}  // namespace

std::string HeadKey(std::string_view key) { return Prefix(Kind::kHead, key.size()).append(key); }

std::string HeadsEnd() { return EndOf(Kind::kHead); }

std::string_view KeyOfHead(std::string_view head_key) {
  CHECK_GE(head_key.size(), kPrefixBytes);
  return head_key.substr(kPrefixBytes);
}

std::string ChangeKey(Revision revision) {
  std::string out = Prefix(Kind::kChange, kRevisionBytes);
  PutOrdered(out, revision.main);
  PutOrdered(out, revision.sub);
  return out;
}

std::string SignpostKey(std::string_view key, Revision revision) {
  std::string out = Prefix(Kind::kSignpost, key.size() + kMarkBytes + kRevisionBytes);
  PutEscaped(out, key);
  PutOrdered(out, revision.main);
  PutOrdered(out, revision.sub);
  return out;
}

std::string SignpostsEnd(std::string_view key) {
  std::string out = Prefix(Kind::kSignpost, key.size() + kMarkBytes);
  PutEscaped(out, key);
  out.back() = '\x02';
  return out;
}

std::string SignpostsEnd() { return EndOf(Kind::kSignpost); }

std::string KeyOfSignpost(std::string_view signpost_key) {
  CHECK_GE(signpost_key.size(), kPrefixBytes + kMarkBytes + kRevisionBytes);
  const std::string_view escaped =
      signpost_key.substr(kPrefixBytes, signpost_key.size() - kPrefixBytes - kMarkBytes - kRevisionBytes);
  std::string key;
  key.reserve(escaped.size());
  for (size_t i = 0; i < escaped.size(); ++i) {
    key.push_back(escaped[i]);
    if (escaped[i] == '\0') ++i;
  }
  return key;
}

Revision RevisionOfSignpost(std::string_view signpost_key) {
  CHECK_GE(signpost_key.size(), kPrefixBytes + kMarkBytes + kRevisionBytes);
  const std::string_view bytes = signpost_key.substr(signpost_key.size() - kRevisionBytes);
  return {.main = GetOrdered<uint64_t>(bytes), .sub = GetOrdered<uint32_t>(bytes.substr(sizeof(uint64_t)))};
}

std::string SessionKey(uint64_t session) {
  std::string out = Prefix(Kind::kSession, sizeof(session));
  PutOrdered(out, session);
  return out;
}

std::string SessionsEnd() { return EndOf(Kind::kSession); }

uint64_t SessionOf(std::string_view session_key) {
  CHECK_EQ(session_key.size(), kPrefixBytes + sizeof(uint64_t));
  return GetOrdered<uint64_t>(session_key.substr(kPrefixBytes));
}

std::string AnswersKey(uint64_t session, uint64_t first_number) {
  std::string out = Prefix(Kind::kAnswer, sizeof(session) + sizeof(first_number));
  PutOrdered(out, session);
  PutOrdered(out, first_number);
  return out;
}

std::string AnswersEnd() { return EndOf(Kind::kAnswer); }

uint64_t SessionOfAnswers(std::string_view answers_key) {
  CHECK_EQ(answers_key.size(), kPrefixBytes + 2 * sizeof(uint64_t));
  return GetOrdered<uint64_t>(answers_key.substr(kPrefixBytes));
}

uint64_t FirstNumberOf(std::string_view answers_key) {
  CHECK_EQ(answers_key.size(), kPrefixBytes + 2 * sizeof(uint64_t));
  return GetOrdered<uint64_t>(answers_key.substr(kPrefixBytes + sizeof(uint64_t)));
}

std::string MetaKey(Meta which) {
  std::string out = Prefix(Kind::kMeta, 1);
  out.push_back(static_cast<char>(which));
  return out;
}

}  // namespace decree::kv
