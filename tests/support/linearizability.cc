#include "tests/support/linearizability.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>
#include <sstream>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

namespace decree::check {
namespace {

// What the model of one key holds. The value is named by the operation that wrote it.
struct KeyState {
  const Operation* writer = nullptr;  // null: the key is absent
  uint64_t version = 0;

  friend bool operator==(const KeyState&, const KeyState&) = default;
};

// What answers tell of values beside their order.
struct Sightings {
  std::unordered_map<std::string, uint64_t> revisions;  // value -> mod revision
  std::unordered_set<std::string> named;                // in a cell or an expectation

  // Nobody would notice if another write of the same kind stood in this one's place.
  bool IsHiddenPut(const Operation& operation) const {
    return operation.kind == OperationKind::kPut && !operation.IsAnswered() && !named.contains(operation.value);
  }
};

bool ShowsState(const std::optional<Cell>& cell, const KeyState& state) {
  if (state.writer == nullptr) return !cell.has_value();
  return cell.has_value() && cell->value == state.writer->value && cell->version == state.version;
}

// One key's operations and what they do to the model.
class KeyModel {
 public:
  explicit KeyModel(const Sightings& sightings) : sightings_(sightings) {}

  // The state after `operation`; nullopt if it cannot have had its answer in this state.
  std::optional<KeyState> Step(const Operation& operation, const KeyState& state) const {
    const bool answered = operation.IsAnswered();
    if (answered && operation.tells_cell && !ShowsState(operation.cell, state)) {
      return std::nullopt;
    }
    switch (operation.kind) {
      case OperationKind::kGet:
      case OperationKind::kStaleGet:
        return state;
      case OperationKind::kPut:
        return Written(operation, state);
      case OperationKind::kDelete:
        if (answered && operation.changed != (state.writer != nullptr)) return std::nullopt;
        return KeyState();
      case OperationKind::kCompareAndSwap: {
        const bool matches = Matches(operation.expected, state);
        if (answered && operation.changed != matches) return std::nullopt;
        return matches ? Written(operation, state) : state;
      }
    }
    return std::nullopt;
  }

 private:
  std::optional<KeyState> Written(const Operation& operation, const KeyState& state) const {
    const KeyState next{.writer = &operation, .version = state.version + 1};
    if (operation.IsAnswered() && operation.version != next.version) return std::nullopt;
    return next;
  }

  bool Matches(const Expectation& expected, const KeyState& state) const {
    if (expected.kind == Expectation::Kind::kAbsent) return state.writer == nullptr;
    if (state.writer == nullptr) return false;
    if (expected.kind == Expectation::Kind::kValue) return expected.value == state.writer->value;
    if (expected.kind == Expectation::Kind::kVersion) return expected.number == state.version;
    // A value that nobody ever saw has a revision that nobody can expect.
    const auto found = sightings_.revisions.find(state.writer->value);
    return found != sightings_.revisions.end() && found->second == expected.number;
  }

  const Sightings& sightings_;
};

// A set of operations by number.
class OperationSet {
 public:
  explicit OperationSet(size_t size) : words_((size + 63) / 64) {}

  void Flip(size_t number) { words_[number / 64] ^= uint64_t{1} << (number % 64); }
  bool Contains(size_t number) const { return (words_[number / 64] >> (number % 64) & 1) != 0; }
  size_t Hash() const {
    uint64_t hash = 0x9e3779b97f4a7c15;
    for (const uint64_t word : words_) hash = (hash ^ word) * 0xff51afd7ed558ccd, hash ^= hash >> 32;
    return hash;
  }
  friend bool operator==(const OperationSet&, const OperationSet&) = default;

 private:
  std::vector<uint64_t> words_;
};

// A point of the search: which operations have been put in order, and what the key holds then.
struct Visited {
  OperationSet ordered;
  KeyState state;

  friend bool operator==(const Visited&, const Visited&) = default;
};
struct VisitedHash {
  size_t operator()(const Visited& visited) const {
    return visited.ordered.Hash() ^ (std::hash<const void*>()(visited.state.writer) * 31 + visited.state.version);
  }
};

// The search over one key's history. Events (invocations and returns) form a list in time order;
// an operation that is put in order is taken out of it. When the first event is a return, that
// operation should have been put in order before: the search steps back.
//
// An operation that fits and changes nothing, such as a read, comes next without a choice: whatever order
// follows works as well behind it.
//
// Open operations are what makes the search long, so of those that cannot be told apart (puts of
// values that nobody saw, deletes) only the one that began first may come next, and one that would
// change nothing is left out.
class KeySearch {
 public:
  // The operations are in order of invocation.
  KeySearch(std::vector<const Operation*> operations, const KeyModel& model, const Sightings& sightings)
      : operations_(std::move(operations)), model_(model), ordered_(operations_.size()) {
    FindTwins(sightings);
    MakeEvents();
  }

  enum class Result { kFound, kNone, kGaveUp };

  // Takes its steps from `steps_left`.
  Result Run(uint64_t& steps_left) {
    size_t event = FirstChoice();
    while (unreturned_ > 0) {
      if (steps_left-- == 0) return Result::kGaveUp;
      if (events_[event].is_invocation) {
        if (TryOrder(event)) {
          event = FirstChoice();
          continue;
        }
        if (!IsFree(event)) {
          event = events_[event].next;
          continue;
        }
      }
      // Nothing else can come next here.
      bool was_free = false;
      do {
        if (path_.empty()) return Result::kNone;
        was_free = path_.back().was_free;
        event = StepBack();
      } while (was_free);
    }
    return Result::kFound;
  }

 private:
  static constexpr size_t kHead = 0;
  static constexpr size_t kNoTwin = std::numeric_limits<size_t>::max();

  struct Event {
    size_t operation = 0;
    bool is_invocation = false;
    size_t mate = 0;  // the return of an invocation
    size_t previous = 0;
    size_t next = 0;
  };
  struct PathStep {
    size_t event;
    KeyState before;
    bool was_free;
  };

  void FindTwins(const Sightings& sightings) {
    twin_.assign(operations_.size(), kNoTwin);
    is_hidden_.assign(operations_.size(), false);
    size_t last_put = kNoTwin;
    size_t last_delete = kNoTwin;
    for (size_t i = 0; i < operations_.size(); ++i) {
      if (operations_[i]->IsAnswered()) continue;
      if (sightings.IsHiddenPut(*operations_[i])) {
        is_hidden_[i] = true;
        if (hidden_ == nullptr) hidden_ = operations_[i];
        twin_[i] = std::exchange(last_put, i);
      } else if (operations_[i]->kind == OperationKind::kDelete) {
        twin_[i] = std::exchange(last_delete, i);
      }
    }
  }

  // The state after this operation; nullopt if it cannot come next.
  std::optional<KeyState> StateAfter(size_t number) const {
    const Operation& operation = *operations_[number];
    if (twin_[number] != kNoTwin && !ordered_.Contains(twin_[number])) return std::nullopt;
    std::optional<KeyState> next = model_.Step(operation, state_);
    if (operation.IsAnswered() || !next.has_value()) return next;
    if (*next == state_) return std::nullopt;
    if (is_hidden_[number]) next->writer = hidden_;
    return next;
  }

  void MakeEvents() {
    struct Point {
      int64_t time;
      bool is_return;  // at equal times invocations come first: they may overlap
      size_t operation;
      auto Key() const { return std::tuple(time, is_return, operation); }
    };
    std::vector<Point> points;
    for (size_t i = 0; i < operations_.size(); ++i) {
      points.push_back({operations_[i]->invoked, false, i});
      points.push_back({operations_[i]->returned, true, i});
      if (operations_[i]->IsAnswered()) ++unreturned_;
    }
    std::sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.Key() < b.Key(); });
    events_.push_back({});
    std::vector<size_t> invocation_of(operations_.size());
    for (const Point& point : points) {
      const size_t event = events_.size();
      events_.push_back(
          {.operation = point.operation, .is_invocation = !point.is_return, .previous = event - 1, .next = event + 1});
      if (point.is_return) {
        events_[invocation_of[point.operation]].mate = event;
      } else {
        invocation_of[point.operation] = event;
      }
    }
    events_[kHead].next = 1;
    events_.push_back({.previous = events_.size() - 1});  // a return that ends the list
  }

  // Whether the operation fits here and changes nothing.
  bool IsFree(size_t event) const {
    const Operation& operation = *operations_[events_[event].operation];
    return operation.IsAnswered() && model_.Step(operation, state_) == state_;
  }

  size_t FirstChoice() const {
    for (size_t event = events_[kHead].next; events_[event].is_invocation; event = events_[event].next) {
      if (IsFree(event)) return event;
    }
    return events_[kHead].next;
  }

  bool TryOrder(size_t event) {
    const size_t number = events_[event].operation;
    const std::optional<KeyState> next = StateAfter(number);
    if (!next.has_value()) return false;
    ordered_.Flip(number);
    if (!visited_.insert({ordered_, *next}).second) {
      ordered_.Flip(number);
      return false;
    }
    path_.push_back({.event = event, .before = state_, .was_free = IsFree(event)});
    state_ = *next;
    Unlink(event);
    Unlink(events_[event].mate);
    if (operations_[number]->IsAnswered()) --unreturned_;
    return true;
  }

  // Undoes the newest choice; returns the event after it, which is to be tried instead.
  size_t StepBack() {
    const PathStep step = path_.back();
    path_.pop_back();
    const size_t number = events_[step.event].operation;
    Relink(events_[step.event].mate);
    Relink(step.event);
    ordered_.Flip(number);
    state_ = step.before;
    if (operations_[number]->IsAnswered()) ++unreturned_;
    return events_[step.event].next;
  }

  void Unlink(size_t event) {
    events_[events_[event].previous].next = events_[event].next;
    events_[events_[event].next].previous = events_[event].previous;
  }
  void Relink(size_t event) {
    events_[events_[event].previous].next = event;
    events_[events_[event].next].previous = event;
  }

  const std::vector<const Operation*> operations_;
  const KeyModel& model_;
  std::vector<size_t> twin_;           // the indistinguishable operation that must come before
  std::vector<bool> is_hidden_;        // a put whose value nobody saw...
  const Operation* hidden_ = nullptr;  // ...and the first of them, which stands for all
  std::vector<Event> events_;
  OperationSet ordered_;
  KeyState state_;
  std::vector<PathStep> path_;
  std::unordered_set<Visited, VisitedHash> visited_;
  size_t unreturned_ = 0;  // answered operations that are not in order yet
};

Sightings Look(const History& history) {
  Sightings seen;
  for (const Operation& operation : history) {
    if (operation.expected.kind == Expectation::Kind::kValue) {
      seen.named.insert(operation.expected.value);
    }
    if (!operation.IsAnswered()) continue;
    if (operation.cell.has_value()) {
      seen.named.insert(operation.cell->value);
      seen.revisions[operation.cell->value] = operation.cell->mod_revision;
    }
    if (operation.IsWrite() && operation.changed && !operation.value.empty()) {
      seen.revisions[operation.value] = operation.revision;
    }
  }
  return seen;
}

std::string Explain(const char* what, const std::string& key, const std::vector<const Operation*>& operations) {
  std::ostringstream text;
  text << what << ": key=" << key << " operations:";
  for (const Operation* operation : operations) text << "\n  " << *operation;
  return text.str();
}

}  // namespace

Verdict CheckLinearizable(const History& history, uint64_t steps_max) {
  const Sightings sightings = Look(history);
  const KeyModel model(sightings);

  std::map<std::string, std::vector<const Operation*>> by_key;
  for (const Operation& operation : history) {
    if (operation.kind == OperationKind::kStaleGet) continue;
    if (operation.ending == Ending::kNotExecuted) continue;
    if (!operation.IsAnswered() && !operation.IsWrite()) continue;
    by_key[operation.key].push_back(&operation);
  }
  for (auto& [key, operations] : by_key) {
    std::stable_sort(operations.begin(), operations.end(), [](auto* a, auto* b) { return a->invoked < b->invoked; });
    switch (KeySearch(operations, model, sightings).Run(steps_max)) {
      case KeySearch::Result::kFound:
        break;
      case KeySearch::Result::kNone:
        return Verdict::Bad(Explain("no order explains the answers", key, operations));
      case KeySearch::Result::kGaveUp:
        return Verdict::Bad(Explain("the search gave up", key, operations));
    }
  }
  return Verdict::Good();
}

Verdict CheckHistory(const History& history) {
  Verdict verdict = CheckRevisions(history);
  return verdict.ok ? CheckLinearizable(history) : verdict;
}

}  // namespace decree::check
