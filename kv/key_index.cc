#include "kv/key_index.h"

#include <algorithm>
#include <cstring>
#include <string>

#include <glog/logging.h>

#include "absl/hash/hash.h"

#include "kv/command.h"
#include "kv/key_codec.h"

namespace decree::kv {
namespace {

// An entry: flags in one byte, the key's size in two, counters, the key. Counters are short if they fit, as they
// nearly always do.
constexpr size_t kHeaderBytes = 3;
constexpr uint8_t kDead = 1;
constexpr uint8_t kUsed = 2;  // found since its chunk was filled
constexpr uint8_t kLong = 4;

constexpr size_t kShortRevisionBytes = 5;
constexpr size_t kShortVersionBytes = 4;
constexpr size_t kShortSizeBytes = 3;
constexpr size_t kShortBytes = 2 * kShortRevisionBytes + kShortVersionBytes + kShortSizeBytes;
constexpr size_t kEntryBytesMax = kHeaderBytes + sizeof(KeyCounters) + kKeyBytesMax;
constexpr size_t kChunkBytesMax = 64 << 10;
constexpr size_t kChunksMin = 4;

// Half of a chunk has room for any entry.
size_t ChunkBytes(size_t bytes) { return std::max(2 * kEntryBytesMax, std::min(kChunkBytesMax, bytes / kChunksMin)); }

bool FitsShort(const KeyCounters& counters) {
  const auto fits = [](uint64_t number, size_t bytes) { return number >> 8 * bytes == 0; };
  return fits(counters.create_revision, kShortRevisionBytes) && fits(counters.modified.main, kShortRevisionBytes) &&
         counters.modified.sub == 0 && fits(counters.version, kShortVersionBytes) && counters.lease == 0 &&
         fits(counters.value_bytes, kShortSizeBytes);
}

bool IsLong(const char* entry) { return (entry[0] & kLong) != 0; }

size_t CountersBytes(bool is_long) { return is_long ? sizeof(KeyCounters) : kShortBytes; }

size_t EntryBytes(bool is_long, size_t key_size) { return kHeaderBytes + CountersBytes(is_long) + key_size; }

size_t KeySize(const char* entry) {
  uint16_t size = 0;
  std::memcpy(&size, entry + 1, sizeof(size));
  return size;
}

size_t EntryBytes(const char* entry) { return EntryBytes(IsLong(entry), KeySize(entry)); }

std::string_view KeyOf(const char* entry) {
  return {entry + kHeaderBytes + CountersBytes(IsLong(entry)), KeySize(entry)};
}

void WriteCounters(char* entry, const KeyCounters& counters) {
  char* out = entry + kHeaderBytes;
  if (IsLong(entry)) {
    std::memcpy(out, &counters, sizeof(counters));
    return;
  }
  std::memcpy(out, &counters.create_revision, kShortRevisionBytes);
  std::memcpy(out + kShortRevisionBytes, &counters.modified.main, kShortRevisionBytes);
  std::memcpy(out + 2 * kShortRevisionBytes, &counters.version, kShortVersionBytes);
  std::memcpy(out + 2 * kShortRevisionBytes + kShortVersionBytes, &counters.value_bytes, kShortSizeBytes);
}

KeyCounters ReadCounters(const char* entry) {
  const char* in = entry + kHeaderBytes;
  KeyCounters counters;
  if (IsLong(entry)) {
    std::memcpy(&counters, in, sizeof(counters));
    return counters;
  }
  std::memcpy(&counters.create_revision, in, kShortRevisionBytes);
  std::memcpy(&counters.modified.main, in + kShortRevisionBytes, kShortRevisionBytes);
  std::memcpy(&counters.version, in + 2 * kShortRevisionBytes, kShortVersionBytes);
  std::memcpy(&counters.value_bytes, in + 2 * kShortRevisionBytes + kShortVersionBytes, kShortSizeBytes);
  return counters;
}

}  // namespace

// Seeded by the process, so that nobody can choose keys that collide.
size_t KeyIndex::Hash::operator()(std::string_view key) const { return absl::HashOf(key); }
size_t KeyIndex::Hash::operator()(Offset offset) const { return operator()(KeyOf(arena + offset)); }
bool KeyIndex::Equal::operator()(Offset offset, std::string_view key) const { return KeyOf(arena + offset) == key; }

KeyIndex::KeyIndex(size_t bytes)
    : chunk_bytes_(ChunkBytes(bytes)),
      chunks_(std::max(kChunksMin, std::min<size_t>(bytes, UINT32_MAX) / chunk_bytes_)),
      // The memory is not touched: pages that are never used cost nothing.
      arena_(new char[chunks_.size() * chunk_bytes_]),
      offsets_(0, Hash{arena_.get()}, Equal{arena_.get()}) {}

void KeyIndex::Load(const Store& store) {
  CHECK(offsets_.empty());
  const std::string end = HeadsEnd();
  const std::unique_ptr<const Store::Snapshot> snapshot = store.TakeSnapshot();
  Store::Cursor heads = snapshot->NewCursor();
  for (heads.Seek(HeadKey("")); heads.valid() && heads.key() < end; heads.Next()) {
    is_whole_ = HasRoom(kEntryBytesMax) || current_ + 1 < chunks_.size();
    if (!is_whole_) return;
    Add(KeyOfHead(heads.key()), RequireKeyCounters(heads.value()));
  }
}

KeyIndex::Finding KeyIndex::Find(std::string_view key) {
  const auto found = offsets_.find(key);
  if (found == offsets_.end()) return {.is_known = is_whole_};
  char* const entry = At(*found);
  entry[0] |= kUsed;
  return {.is_known = true, .counters = ReadCounters(entry)};
}

void KeyIndex::Set(std::string_view key, const std::optional<KeyCounters>& counters) {
  const auto found = offsets_.find(key);
  if (found != offsets_.end()) {
    char* const entry = At(*found);
    if (counters.has_value() && IsLong(entry) == !FitsShort(*counters)) {
      return WriteCounters(entry, *counters);
    }
    Remove(*found);
  }
  if (counters.has_value()) Add(key, *counters);
}

void KeyIndex::Add(std::string_view key, const KeyCounters& counters) {
  const bool is_long = !FitsShort(counters);
  const size_t bytes = EntryBytes(is_long, key.size());
  MakeRoom(bytes);
  Chunk& chunk = chunks_[current_];
  const Offset offset = Begin(current_) + chunk.used;
  char* const entry = At(offset);
  entry[0] = static_cast<char>(is_long ? kLong : 0);
  const auto key_size = static_cast<uint16_t>(key.size());
  std::memcpy(entry + 1, &key_size, sizeof(key_size));
  WriteCounters(entry, counters);
  std::memcpy(entry + bytes - key.size(), key.data(), key.size());
  chunk.used += static_cast<uint32_t>(bytes);
  CHECK(offsets_.insert(offset).second) << "a key is in the index twice";
}

void KeyIndex::Remove(Offset offset) {
  offsets_.erase(offset);
  char* const entry = At(offset);
  entry[0] |= kDead;
  chunks_[offset / chunk_bytes_].dead += static_cast<uint32_t>(EntryBytes(entry));
}

bool KeyIndex::HasRoom(size_t bytes) const { return chunks_[current_].used + bytes <= chunk_bytes_; }

void KeyIndex::MakeRoom(size_t bytes) {
  while (!HasRoom(bytes)) {
    current_ = (current_ + 1) % chunks_.size();
    if (chunks_[current_].used > 0) TakeUpOldest();
  }
}

// Keeps all that lives if that is half of the chunk at most, and else what was used since, up to a half.
void KeyIndex::TakeUpOldest() {
  Chunk& chunk = chunks_[current_];
  const size_t half = chunk_bytes_ / 2;
  const bool keeps_all = chunk.used - chunk.dead <= half;
  const Offset begin = Begin(current_);
  size_t kept = 0;
  for (size_t at = 0; at < chunk.used;) {
    const auto offset = static_cast<Offset>(begin + at);
    char* const entry = At(offset);
    const size_t bytes = EntryBytes(entry);
    at += bytes;
    if ((entry[0] & kDead) != 0) continue;
    const bool stays = keeps_all || ((entry[0] & kUsed) != 0 && kept + bytes <= half);
    offsets_.erase(offset);
    if (!stays) {
      is_whole_ = false;
      continue;
    }
    entry[0] &= static_cast<char>(~kUsed);
    std::memmove(At(static_cast<Offset>(begin + kept)), entry, bytes);
    offsets_.insert(static_cast<Offset>(begin + kept));
    kept += bytes;
  }
  chunk = {.used = static_cast<uint32_t>(kept), .dead = 0};
}

}  // namespace decree::kv
