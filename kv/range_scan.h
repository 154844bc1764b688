#pragma once
// Walks over a range of keys as they were at one revision.
//
// The heads have the keys that there are now, the signposts those that are deleted now. Both are in the order of
// the keys, so one pass over the two side by side meets every key once. What a key held then is found along the
// chain of its changes, from the oldest signpost that is newer than the revision, or else from its head.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "kv/key_record.h"
#include "kv/store.h"

namespace decree::kv {

struct KeyRange {
  std::string first;  // from this key on
  std::string end;    // to this one, exclusive; empty: to the last
};

// How many keys one walk looks at, those included that did not exist at the revision, and changes of theirs that
// came later: bounds the time it takes whatever the range holds.
inline constexpr size_t kStepsMax = 20'000;

// Takes a key and what it held. False: no more, and this one was not taken.
using RangeVisitor = std::function<bool(std::string_view key, const KeyRecord& record)>;

// Visits the keys of the range, in order, that existed at `revision`. Returns the key to go on from; nothing
// if that was all of the range.
std::optional<std::string> ScanRange(const Store::Snapshot& snapshot, const KeyRange& range, uint64_t revision,
                                     const RangeVisitor& visit);

}  // namespace decree::kv
