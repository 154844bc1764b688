// CheckRevisions: the order that the service itself claims, held against what clients saw and when.

#include <algorithm>
#include <map>
#include <optional>
#include <sstream>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "tests/support/linearizability.h"

namespace decree::check {
namespace {

// A change of one key that is known to have happened, at a known revision.
struct Change {
  const Operation* operation = nullptr;
  uint64_t version = 0;                     // 0: a deletion
  std::optional<uint64_t> created_at = {};  // once a cell has shown it

  bool IsDeletion() const { return version == 0; }
};

// What is known of one key, and how much of its history nobody saw.
struct KeyHistory {
  std::map<uint64_t, Change> changes;  // by revision
  uint64_t hidden_writes = 0;          // unknown outcome, and nobody saw the value
  uint64_t hidden_deletes = 0;
};

class RevisionCheck {
 public:
  explicit RevisionCheck(const History& history) : history_(history) {}

  Verdict Run() {
    TakeWrites();
    TakeCells();
    CountHidden();
    CheckChains();
    CheckStates();
    CheckRealTime();
    CheckNothingFromTheFuture();
    CheckProcesses();
    return problem_.empty() ? Verdict::Good() : Verdict::Bad(problem_);
  }

 private:
  // Only the first problem is kept: the others are mostly its consequences.
  void Fail(std::string_view what, const Operation& operation) {
    if (!problem_.empty()) return;
    std::ostringstream text;
    text << what << ": " << operation << "\nall operations on this key:";
    for (const Operation& other : history_) {
      if (other.key == operation.key) text << "\n  " << other;
    }
    problem_ = text.str();
  }

  void TakeWrites() {
    for (const Operation& operation : history_) {
      if (!operation.IsWrite()) continue;
      if (!operation.value.empty() && !writers_.try_emplace(operation.value, &operation).second) {
        Fail("the value was used twice, which this check cannot judge", operation);
      }
      if (!operation.IsAnswered() || !operation.changed) continue;
      const bool deletes = operation.kind == OperationKind::kDelete;
      if (!deletes && operation.version == 0) Fail("a write without a version", operation);
      AddChange(operation, operation.revision, {.operation = &operation, .version = deletes ? 0 : operation.version});
    }
  }

  void AddChange(const Operation& source, uint64_t revision, const Change& change) {
    const auto [found, is_new] = all_changes_.try_emplace(revision, change.operation);
    if (!is_new) Fail("two changes share a revision", source);
    keys_[source.key].changes.try_emplace(revision, change);
  }

  // Every cell must come from a write of that key, and one value has one place in the order.
  void TakeCells() {
    for (const Operation& operation : history_) {
      if (!operation.IsAnswered() || !operation.tells_cell || !operation.cell) continue;
      const Cell& cell = *operation.cell;
      const auto found = writers_.find(cell.value);
      if (found == writers_.end() || found->second->key != operation.key) {
        Fail("a value that nobody wrote to this key", operation);
        continue;
      }
      const Operation& writer = *found->second;
      if (writer.ending == Ending::kNotExecuted) {
        Fail("the value of a write that was said not to have happened", operation);
      }
      if (writer.invoked > operation.returned) Fail("a value before its write", operation);
      if ((cell.version == 1) != (cell.create_revision == cell.mod_revision) ||
          cell.create_revision > cell.mod_revision || cell.version == 0) {
        Fail("create revision, mod revision and version contradict each other", operation);
      }
      PlaceCell(operation, cell, writer);
    }
  }

  void PlaceCell(const Operation& operation, const Cell& cell, const Operation& writer) {
    if (writer.IsAnswered()) {
      if (!writer.changed) return Fail("the value of a refused swap", operation);
      if (writer.revision != cell.mod_revision || writer.version != cell.version) {
        return Fail("a value elsewhere in the order than its write was told", operation);
      }
    } else {
      const auto [seen, is_new] = seen_at_.try_emplace(cell.value, cell.mod_revision);
      if (seen->second != cell.mod_revision) return Fail("a value at two revisions", operation);
      if (is_new) {
        AddChange(writer, cell.mod_revision, {.operation = &writer, .version = cell.version});
      }
    }
    Change& change = keys_[operation.key].changes.at(cell.mod_revision);
    if (change.operation != &writer) return Fail("two changes share a revision", operation);
    if (change.version != cell.version) return Fail("a value with two versions", operation);
    if (change.created_at.value_or(cell.create_revision) != cell.create_revision) {
      return Fail("a value with two create revisions", operation);
    }
    change.created_at = cell.create_revision;
  }

  void CountHidden() {
    for (const Operation& operation : history_) {
      if (!operation.IsWrite() || operation.ending != Ending::kUnknown) continue;
      if (operation.kind == OperationKind::kDelete) {
        ++keys_[operation.key].hidden_deletes;
      } else if (!seen_at_.contains(operation.value)) {
        ++keys_[operation.key].hidden_writes;
      }
    }
  }

  // Versions count up by one from change to change, but for what nobody saw.
  void CheckChains() {
    for (const auto& [name, key] : keys_) {
      const Change* before = nullptr;
      for (const auto& [revision, change] : key.changes) {
        CheckLink(key, before, change);
        before = &change;
      }
    }
  }

  void CheckLink(const KeyHistory& key, const Change* before, const Change& change) {
    const uint64_t base = before == nullptr ? 0 : before->version;
    if (change.IsDeletion()) {
      if (base == 0 && key.hidden_writes == 0) Fail("deleted what was not there", *change.operation);
      return;
    }
    const uint64_t highest = base + 1 + key.hidden_writes;
    const uint64_t lowest = key.hidden_deletes > 0 ? 1 : base + 1;
    if (change.version < lowest || change.version > highest) {
      Fail("the version does not follow from the writes before it", *change.operation);
    }
    if (key.hidden_writes == 0 && key.hidden_deletes == 0 && base > 0 && before->created_at && change.created_at &&
        *before->created_at != *change.created_at) {
      Fail("the create revision changed without a deletion", *change.operation);
    }
  }

  // What an operation saw must be the state at the revision that it names.
  void CheckStates() {
    for (const Operation& operation : history_) {
      if (!operation.IsAnswered() || !operation.tells_cell) continue;
      // A write tells what was there before it.
      const bool before = operation.IsWrite() && operation.changed;
      if (before && operation.revision == 0) return Fail("a change without a revision", operation);
      CheckStateAt(operation, before ? operation.revision - 1 : operation.revision);
      if (operation.kind == OperationKind::kCompareAndSwap &&
          operation.changed != Matches(operation.expected, operation.cell)) {
        Fail("the swap's outcome contradicts what it compared with", operation);
      }
    }
  }

  void CheckStateAt(const Operation& operation, uint64_t revision) {
    const KeyHistory& key = keys_[operation.key];
    const auto after = key.changes.upper_bound(revision);
    const Change* const newest = after == key.changes.begin() ? nullptr : &std::prev(after)->second;
    if (operation.cell.has_value()) {
      if (operation.cell->mod_revision > revision) {
        return Fail("a value newer than the revision of the answer", operation);
      }
      if (newest == nullptr || std::prev(after)->first != operation.cell->mod_revision) {
        Fail("a value that had been replaced at this revision", operation);
      }
    } else if (newest != nullptr && !newest->IsDeletion() && key.hidden_deletes == 0) {
      Fail("found nothing where there was a value", operation);
    }
  }

  static bool Matches(const Expectation& expected, const std::optional<Cell>& cell) {
    switch (expected.kind) {
      case Expectation::Kind::kAbsent:
        return !cell.has_value();
      case Expectation::Kind::kValue:
        return cell.has_value() && cell->value == expected.value;
      case Expectation::Kind::kVersion:
        return cell.has_value() && cell->version == expected.number;
      case Expectation::Kind::kModRevision:
        return cell.has_value() && cell->mod_revision == expected.number;
    }
    return false;
  }

  // The operations that have a place in the order, by invocation and by return.
  struct Placed {
    const Operation* operation;
    uint64_t revision;
    bool changed;
  };

  std::vector<Placed> PlacedOperations() const {
    std::vector<Placed> placed;
    for (const Operation& operation : history_) {
      if (operation.kind == OperationKind::kStaleGet) continue;
      if (operation.IsAnswered()) {
        placed.push_back({&operation, operation.revision, operation.changed});
      } else if (const auto seen = seen_at_.find(operation.value); seen != seen_at_.end()) {
        placed.push_back({&operation, seen->second, true});
      }
    }
    return placed;
  }

  // An operation that begins after another has ended must not come before it.
  void CheckRealTime() {
    std::vector<Placed> by_invocation = PlacedOperations();
    std::vector<Placed> by_return;
    for (const Placed& placed : by_invocation) {
      if (placed.operation->IsAnswered()) by_return.push_back(placed);
    }
    std::stable_sort(by_invocation.begin(), by_invocation.end(),
                     [](const auto& a, const auto& b) { return a.operation->invoked < b.operation->invoked; });
    std::stable_sort(by_return.begin(), by_return.end(),
                     [](const auto& a, const auto& b) { return a.operation->returned < b.operation->returned; });
    uint64_t reached = 0;
    auto returned = by_return.begin();
    for (const Placed& placed : by_invocation) {
      for (; returned != by_return.end() && returned->operation->returned < placed.operation->invoked; ++returned) {
        reached = std::max(reached, returned->revision);
      }
      if (placed.revision < reached) Fail("missed what had been answered before", *placed.operation);
      if (placed.changed && placed.revision == reached) {
        Fail("a write in the past of an answer", *placed.operation);
      }
    }
  }

  // No answer shows a revision at which a write stands that had not begun.
  void CheckNothingFromTheFuture() {
    std::map<uint64_t, int64_t> begun;  // revision -> when the last write up to it was invoked
    int64_t latest = std::numeric_limits<int64_t>::min();
    for (const auto& [revision, operation] : all_changes_) {
      latest = std::max(latest, operation->invoked);
      begun[revision] = latest;
    }
    for (const Operation& operation : history_) {
      if (!operation.IsAnswered()) continue;
      const auto after = begun.upper_bound(operation.revision);
      if (after == begun.begin()) continue;
      if (std::prev(after)->second > operation.returned) {
        Fail("an answer from the future", operation);
      }
    }
  }

  // A process that has shown a revision never shows an older one.
  void CheckProcesses() {
    std::map<uint64_t, std::vector<const Operation*>> by_process;
    for (const Operation& operation : history_) {
      if (!operation.IsAnswered() || operation.IsWrite() || operation.served_by == 0) continue;
      by_process[operation.served_by].push_back(&operation);
    }
    for (auto& [process, reads] : by_process) {
      std::vector<const Operation*> by_return = reads;
      std::stable_sort(reads.begin(), reads.end(), [](auto* a, auto* b) { return a->invoked < b->invoked; });
      std::stable_sort(by_return.begin(), by_return.end(), [](auto* a, auto* b) { return a->returned < b->returned; });
      uint64_t shown = 0;
      auto returned = by_return.begin();
      for (const Operation* read : reads) {
        for (; (*returned)->returned < read->invoked; ++returned) {
          shown = std::max(shown, (*returned)->revision);
        }
        if (read->revision < shown) Fail("a process went back in time", *read);
      }
    }
  }

  const History& history_;
  std::unordered_map<std::string, const Operation*> writers_;  // by value
  std::unordered_map<std::string, uint64_t> seen_at_;          // of writes with unknown outcome
  std::map<uint64_t, const Operation*> all_changes_;           // by revision, of all keys
  std::map<std::string, KeyHistory> keys_;
  std::string problem_;
};

}  // namespace

Verdict CheckRevisions(const History& history) { return RevisionCheck(history).Run(); }

}  // namespace decree::check
