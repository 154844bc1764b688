#include "tests/process/load.h"

#include <chrono>
#include <optional>
#include <utility>

#include "paxos/base/random.h"

namespace decree::process {
namespace {

using check::Ending;
using check::Expectation;
using check::Operation;
using check::OperationKind;

check::Cell MakeCell(const v1::KeyValue& kv) {
  return {.value = kv.value(),
          .create_revision = kv.create_revision(),
          .mod_revision = kv.mod_revision(),
          .version = kv.version()};
}

template <typename Response>
bool TakeEnding(const StatusOr<Response>& response, Operation& operation) {
  if (response.ok()) {
    operation.ending = Ending::kAnswered;
    operation.revision = response->header().revision();
    return true;
  }
  operation.ending = rpc::MayHaveHappened(response.status()) ? Ending::kUnknown : Ending::kNotExecuted;
  return false;
}

}  // namespace

Load::Load(const ProcessCluster& cluster, uint32_t clients) {
  for (uint32_t id = 1; id <= clients; ++id) {
    threads_.emplace_back([this, &cluster, id] { RunClient(cluster, id); });
  }
}

void Load::Stop() {
  stops_ = true;
  for (std::thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

int64_t Load::Now() const { return std::chrono::steady_clock::now().time_since_epoch().count(); }

void Load::RunClient(const ProcessCluster& cluster, uint32_t id) {
  const auto client = cluster.NewClient(Seconds(3));
  Random random(id);
  std::optional<check::Cell> seen;  // of some key, to compare with
  for (uint64_t number = 1; !stops_; ++number) {
    Operation operation;
    operation.client = id;
    // Keys are replaced by others, for the search in a history takes longer the more a key has.
    operation.key = StrCat("k", random.Below(3), ".", answered_ / 150);
    operation.value = StrCat("c", id, "-", number);
    const uint64_t dice = random.Below(100);
    if (dice < 35) {
      operation.kind = OperationKind::kPut;
    } else if (dice < 60) {
      operation.kind = OperationKind::kCompareAndSwap;
      if (seen.has_value()) {
        operation.expected = {.kind = Expectation::Kind::kValue, .value = seen->value};
      }
    } else if (dice < 65) {
      operation.kind = OperationKind::kDelete;
    } else {
      operation.kind = OperationKind::kGet;
    }
    operation.invoked = Now();
    Carry(*client, operation);
    if (operation.tells_cell && operation.cell.has_value()) seen = operation.cell;
    Note(std::move(operation));
  }
}

void Load::Carry(rpc::Client& client, Operation& operation) {
  switch (operation.kind) {
    case OperationKind::kPut: {
      const auto put = client.Put(operation.key, operation.value);
      if (!TakeEnding(put, operation)) break;
      operation.changed = true;
      operation.version = put->version();
      break;
    }
    case OperationKind::kDelete: {
      const auto del = client.Delete(operation.key);
      if (TakeEnding(del, operation)) operation.changed = del->deleted();
      break;
    }
    case OperationKind::kCompareAndSwap: {
      v1::CompareAndSwapRequest request;
      request.set_key(operation.key);
      request.set_value(operation.value);
      if (operation.expected.kind == Expectation::Kind::kValue) {
        request.set_expected_value(operation.expected.value);
      } else {
        request.set_expected_absent(true);
      }
      const auto swap = client.CompareAndSwap(std::move(request));
      if (!TakeEnding(swap, operation)) break;
      operation.changed = swap->swapped();
      operation.version = swap->swapped() ? swap->version() : 0;
      operation.tells_cell = true;
      if (swap->has_current()) operation.cell = MakeCell(swap->current());
      break;
    }
    default: {
      const auto get = client.Get(operation.key);
      if (!TakeEnding(get, operation)) break;
      operation.tells_cell = true;
      if (get->found()) operation.cell = MakeCell(get->kv());
      operation.served_by = get->header().node();
    }
  }
  operation.returned = operation.IsAnswered() ? Now() : check::kNeverReturned;
}

void Load::Note(Operation operation) {
  if (operation.IsAnswered()) ++answered_;
  const std::lock_guard lock(mutex_);
  history_.push_back(std::move(operation));
}

}  // namespace decree::process
