#include "kv/range_scan.h"

#include "kv/key_codec.h"
#include "kv/record_reader.h"

namespace decree::kv {
namespace {

// A sub-revision behind all changes that a revision may have made.
constexpr uint32_t kLastSub = UINT32_MAX;

// Reads changes without a trace in the block cache: a reader of all of them must not push out what others read often.
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
        signposts_(snapshot.NewCursor()) {
    heads_.Seek(HeadKey(range.first));
    signposts_.Seek(SignpostKey(range.first, {}));
  }

  std::optional<std::string> Run(const RangeVisitor& visit) {
    for (;; ++steps_) {
      FindNext();
      if (!key_.has_value()) return std::nullopt;
      if (steps_ >= kStepsMax) return key_;
      if (const std::optional<KeyRecord> record = RecordThen(); record.has_value() && !visit(*key_, *record)) {
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
    has_signpost_ = signposts_.valid() && signposts_.key() < signposts_end_;
    if (has_signpost_) {
      std::string key = KeyOfSignpost(signposts_.key());
      has_head_ = has_head_ && *key_ <= key;
      has_signpost_ = !has_head_ || *key_ == key;
      if (has_signpost_) key_ = std::move(key);
    }
    if (key_.has_value() && !range_.end.empty() && *key_ >= range_.end) key_.reset();
  }

  // What the key held at the revision; moves within its signposts.
  std::optional<KeyRecord> RecordThen() {
    for (std::optional<Revision> at = ChainBegin(); at.has_value(); ++steps_) {
      KeyRecord record = ReadChange(changes_, *key_, *at);
      if (at->main <= revision_) return record.deleted ? std::nullopt : std::optional(std::move(record));
      CHECK(record.previous < *at) << "the chain of changes leads back to revision " << at->main;
      if (record.counters.create_revision > revision_) return std::nullopt;
      at = record.previous;
    }
    return std::nullopt;
  }

  // The change to go back from; nothing: the key did not exist.
  std::optional<Revision> ChainBegin() {
    std::optional<KeyCounters> head;
    if (has_head_) {
      head = RequireKeyCounters(heads_.value());
      if (head->modified.main <= revision_) return head->modified;
    }
    if (has_signpost_) {
      signposts_.Seek(SignpostKey(*key_, {.main = revision_, .sub = kLastSub}));
      if (signposts_.valid() && signposts_.key() < SignpostsEnd(*key_)) {
        return RevisionOfSignpost(signposts_.key());
      }
    }
    if (!head.has_value() || head->create_revision > revision_) return std::nullopt;
    return head->modified;
  }

  void Pass() {
    if (has_head_) heads_.Next();
    if (has_signpost_) signposts_.Seek(SignpostsEnd(*key_));
  }

  const KeyRange& range_;
  const uint64_t revision_;
  const ChangeSource changes_;
  const std::string heads_end_ = HeadsEnd();
  const std::string signposts_end_ = SignpostsEnd();
  Store::Cursor heads_;
  Store::Cursor signposts_;
  size_t steps_ = 0;

  // The key at hand, and which of the two have it.
  std::optional<std::string> key_;
  bool has_head_ = false;
  bool has_signpost_ = false;
};

}  // namespace

std::optional<std::string> ScanRange(const Store::Snapshot& snapshot, const KeyRange& range, uint64_t revision,
                                     const RangeVisitor& visit) {
  return RangeScan(snapshot, range, revision).Run(visit);
}

}  // namespace decree::kv
