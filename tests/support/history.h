#pragma once
// What clients asked for and were told, as the checkers of linearizability.h want it.
//
// Every value that is written must be unique in the history, so that a value names the operation
// that wrote it. An operation whose answer never came is kept, with `kUnknown`: it may have taken
// effect at any time after its invocation, or never.

#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

namespace decree::check {

enum class OperationKind { kPut, kDelete, kCompareAndSwap, kGet, kStaleGet };

enum class Ending {
  kAnswered,
  kUnknown,
  kNotExecuted,  // the service said that it never happened and never will
};

// What a key held.
struct Cell {
  std::string value;
  uint64_t create_revision = 0;
  uint64_t mod_revision = 0;
  uint64_t version = 0;

  friend bool operator==(const Cell&, const Cell&) = default;
};

// What a compare-and-swap compared with.
struct Expectation {
  enum class Kind { kAbsent, kValue, kVersion, kModRevision };
  Kind kind = Kind::kAbsent;
  std::string value;
  uint64_t number = 0;  // the version or the revision
};

inline constexpr int64_t kNeverReturned = std::numeric_limits<int64_t>::max();

struct Operation {
  OperationKind kind = OperationKind::kGet;
  uint64_t client = 0;
  std::string key;
  std::string value;     // put and swap: what to write
  Expectation expected;  // of a compare-and-swap
  // Times of one clock that all clients share.
  int64_t invoked = 0;
  int64_t returned = kNeverReturned;
  Ending ending = Ending::kUnknown;

  // ---- The answer ----
  uint64_t revision = 0;  // of the store: after a write; that a read shows
  bool changed = false;   // a write took effect
  uint64_t version = 0;   // of the key after a put or swap
  bool tells_cell = false;
  std::optional<Cell> cell;  // if told: what a get read, or what the key held before a write
  uint64_t served_by = 0;    // names the process (node and life) that answered a read; 0: not known

  bool IsWrite() const { return kind != OperationKind::kGet && kind != OperationKind::kStaleGet; }
  bool IsAnswered() const { return ending == Ending::kAnswered; }
};

using History = std::vector<Operation>;

std::ostream& operator<<(std::ostream& out, const Operation& operation);

}  // namespace decree::check
