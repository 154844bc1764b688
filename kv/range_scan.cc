#include "kv/range_scan.h"

#include "kv/key_codec.h"
#include "kv/record_reader.h"

namespace decree::kv {
namespace {

// Of a key: behind all changes that a revision may have made.
constexpr uint32_t kLastSub = UINT32_MAX;

// Reads changes without a trace in the block cache: whoever reads all of them must not push out what others
// read often.
class ChangeSource {
 public:
  explicit ChangeSource(const Store::Snapshot& snapshot) : snapshot_(snapshot) {}
  std::optional<std::string> Get(std::string_view key) const { return snapshot_.GetUncached(key); }

 private:
  const Store::Snapshot& snapshot_;
};

class RangeScan {
 public:
  RangeScan(const Store::Snapshot& snapshot, const KeyRange& range, uint64_t revision)
      : range_(range),
        revision_(revision),
        changes_(snapshot),
        heads_(snapshot.NewCursor()),
        history_(snapshot.NewCursor()) {
    heads_.Seek(HeadKey(range.first));
    history_.Seek(HistoryKey(range.first, {.main = UINT64_MAX, .sub = kLastSub}));
  }

  std::optional<std::string> Run(const RangeVisitor& visit) {
    for (size_t walked = 0;; ++walked) {
      FindNext();
      if (!key_.has_value()) return std::nullopt;
      if (walked == kKeysWalkedMax) return key_;
      if (const std::optional<KeyRecord> record = RecordThen();
          record.has_value() && !visit(*key_, *record)) {
        return key_;
      }
      Pass();
    }
  }

 private:
  // Finds the lowest key that either has.
  void FindNext() {
    key_.reset();
    has_head_ = heads_.valid() && heads_.key() < heads_end_;
    if (has_head_) key_ = KeyOfHead(heads_.key());
    has_history_ = history_.valid() && history_.key() < histories_end_;
    if (has_history_) {
      std::string key = KeyOfHistory(history_.key());
      has_head_ = has_head_ && *key_ <= key;
      has_history_ = !has_head_ || *key_ == key;
      if (has_history_) key_ = std::move(key);
    }
    if (key_.has_value() && !range_.end.empty() && *key_ >= range_.end) key_.reset();
  }

  // What the key held at the revision; moves within its history.
  std::optional<KeyRecord> RecordThen() {
    const std::optional<Revision> changed = ChangedThen();
    if (!changed.has_value()) return std::nullopt;
    KeyRecord record = ReadChange(changes_, *key_, *changed);
    if (record.deleted) return std::nullopt;
    return record;
  }

  // The key's last change by then.
  std::optional<Revision> ChangedThen() {
    if (has_head_) {
      const KeyCounters counters = RequireKeyCounters(heads_.value());
      if (counters.modified.main <= revision_) return counters.modified;
    }
    if (!has_history_) return std::nullopt;
    history_.Seek(HistoryKey(*key_, {.main = revision_, .sub = kLastSub}));
    if (!history_.valid() || history_.key() >= HistoryEnd(*key_)) return std::nullopt;
    return RevisionOf(history_.key());
  }

  void Pass() {
    if (has_head_) heads_.Next();
    if (has_history_) history_.Seek(HistoryEnd(*key_));
  }

  const KeyRange& range_;
  const uint64_t revision_;
  const ChangeSource changes_;
  const std::string heads_end_ = HeadsEnd();
  const std::string histories_end_ = HistoriesEnd();
  Store::Cursor heads_;
  Store::Cursor history_;

  // The key at hand, and which of the two have it.
  std::optional<std::string> key_;
  bool has_head_ = false;
  bool has_history_ = false;
};

}  // namespace

std::optional<std::string> ScanRange(const Store::Snapshot& snapshot, const KeyRange& range,
                                     uint64_t revision, const RangeVisitor& visit) {
  return RangeScan(snapshot, range, revision).Run(visit);
}

}  // namespace decree::kv
