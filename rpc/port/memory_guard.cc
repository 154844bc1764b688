#include "rpc/port/memory_guard.h"

#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <gperftools/malloc_extension_c.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <utility>

#include "paxos/base/rare_case.h"
#include "paxos/base/status.h"

// Programs that are linked with another allocator do not have it.
#pragma weak MallocExtension_ReleaseFreeMemory

namespace decree::rpc {
namespace {

constexpr Duration kMeasureEvery = Milliseconds(20);
// How long it takes gRPC to clear away what came by connections that were reset.
constexpr Duration kSettle = Milliseconds(250);
// If so much comes meanwhile, it is not waited for.
constexpr size_t kGrowthMax = 16 << 20;

}  // namespace

MemoryGuard::MemoryGuard(size_t bytes_max, Actions actions)
    : bytes_max_(bytes_max), actions_(std::move(actions)), limit_(FirstLimit()) {}

void MemoryGuard::Look(Time now) {
  if (now < looked_at_ + kMeasureEvery) return;
  looked_at_ = now;
  const size_t held = actions_.measure();
  if (held <= FirstLimit()) limit_ = FirstLimit();
  if (held <= limit_) {
    step_ = Step::kNone;
    return;
  }
  if (IsSettling(now, held)) return;
  stepped_at_ = now;
  held_then_ = held;
  Act(held);
}

bool MemoryGuard::IsSettling(Time now, size_t held) const {
  const bool was_reset = step_ == Step::kResetIdle || step_ == Step::kResetAll;
  return was_reset && now < stepped_at_ + kSettle && held < held_then_ + kGrowthMax;
}

void MemoryGuard::Act(size_t held) {
  const std::string problem = StrCat("the memory that may be held, ", bytes_max_ >> 20, " MiB, is nearly used up");
  switch (step_) {
    case Step::kNone:
      step_ = Step::kTrimmed;
      actions_.trim();
      break;
    case Step::kTrimmed:
      RARE_CASE("idle connections were reset for their memory");
      step_ = Step::kResetIdle;
      actions_.note(StrCat(problem, ": connections without a request under way are reset"));
      actions_.reset_idle();
      break;
    case Step::kResetIdle:
      step_ = Step::kTrimmedThen;
      actions_.trim();
      break;
    case Step::kTrimmedThen:
      RARE_CASE("all connections of clients were reset for their memory");
      step_ = Step::kResetAll;
      actions_.note(StrCat(problem, ": all connections of clients are reset"));
      actions_.reset_all();
      break;
    case Step::kResetAll:
      step_ = Step::kTrimmedAtLast;
      actions_.trim();
      break;
    case Step::kTrimmedAtLast:
      step_ = Step::kNone;
      limit_ = held + kReserve;
      actions_.note(StrCat(problem, ", and not by connections: allow more with --memory-mib, or use smaller caches"));
      break;
  }
}

size_t MemoryGuard::MeasureHeld() {
  // proc(5): the size of the process, what of it is resident, and what of that is shared with files; in pages.
  static const int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
  char text[128]{};
  size_t size = 0;
  size_t resident = 0;
  size_t shared = 0;
  if (pread(file, text, sizeof(text) - 1, 0) <= 0) return 0;
  if (std::sscanf(text, "%zu %zu %zu", &size, &resident, &shared) != 3 || shared > resident) return 0;
  return (resident - shared) * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

void MemoryGuard::Trim() {
  if (MallocExtension_ReleaseFreeMemory != nullptr) {
    MallocExtension_ReleaseFreeMemory();
  } else {
    malloc_trim(0);
  }
}

}  // namespace decree::rpc
