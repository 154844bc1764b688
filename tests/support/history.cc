#include "tests/support/history.h"

namespace decree::check {
namespace {

const char* KindName(OperationKind kind) {
  switch (kind) {
    case OperationKind::kPut:
      return "put";
    case OperationKind::kDelete:
      return "delete";
    case OperationKind::kCompareAndSwap:
      return "cas";
    case OperationKind::kGet:
      return "get";
    case OperationKind::kStaleGet:
      return "stale-get";
  }
  return "?";
}

// Long values are told by how they begin: they are numbered there.
std::string Short(const std::string& value) {
  constexpr size_t kShown = 24;
  return value.size() <= kShown ? value : value.substr(0, kShown) + "...";
}

void DescribeExpectation(std::ostream& out, const Expectation& expected) {
  switch (expected.kind) {
    case Expectation::Kind::kAbsent:
      out << " if-absent";
      return;
    case Expectation::Kind::kValue:
      out << " if-value=" << Short(expected.value);
      return;
    case Expectation::Kind::kVersion:
      out << " if-version=" << expected.number;
      return;
    case Expectation::Kind::kModRevision:
      out << " if-revision=" << expected.number;
      return;
  }
}

void DescribeAnswer(std::ostream& out, const Operation& operation) {
  out << " revision=" << operation.revision;
  if (operation.IsWrite()) out << (operation.changed ? " changed" : " unchanged");
  if (operation.version != 0) out << " version=" << operation.version;
  if (!operation.tells_cell) return;
  if (!operation.cell.has_value()) {
    out << " cell=absent";
    return;
  }
  const Cell& cell = *operation.cell;
  out << " cell=" << Short(cell.value) << " create=" << cell.create_revision << " mod=" << cell.mod_revision
      << " v=" << cell.version;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const Operation& operation) {
  out << "c" << operation.client << " [" << operation.invoked / 1000 << "us, ";
  if (operation.returned == kNeverReturned) {
    out << "never";
  } else {
    out << operation.returned / 1000 << "us";
  }
  out << "] " << KindName(operation.kind) << ' ' << operation.key;
  if (!operation.value.empty()) out << " value=" << Short(operation.value);
  if (operation.kind == OperationKind::kCompareAndSwap) {
    DescribeExpectation(out, operation.expected);
  }
  out << " ->";
  if (operation.ending == Ending::kUnknown) return out << " unknown";
  if (operation.ending == Ending::kNotExecuted) return out << " not executed";
  DescribeAnswer(out, operation);
  return out;
}

}  // namespace decree::check
