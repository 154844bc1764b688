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
// If too much is held for so long, though all connections were reset, again and again, it is not by them.
constexpr Duration kHopeless = Seconds(5);

}  // namespace

MemoryGuard::MemoryGuard(size_t bytes_max, Actions actions)
    : bytes_max_(bytes_max), actions_(std::move(actions)), limit_(FirstLimit()) {}

void MemoryGuard::Look(Time now) {
  if (now < looked_at_ + kMeasureEvery) return;
  looked_at_ = now;
  size_t held = actions_.measure();
  if (held <= FirstLimit()) limit_ = FirstLimit();
  if (held > limit_) {
    if (IsSettling(now, held)) return;
    actions_.trim();
    held = actions_.measure();
  }
  if (held > limit_) {
    Act(now, held);
  } else {
    first_reset_.reset();
  }
}

bool MemoryGuard::IsSettling(Time now, size_t held) const {
  return first_reset_.has_value() && now < last_reset_ + kSettle && held < held_then_ + kGrowthMax;
}

void MemoryGuard::Act(Time now, size_t held) {
  const std::string problem = StrCat("the memory that may be held, ", bytes_max_ >> 20, " MiB, is nearly used up");
  last_reset_ = now;
  held_then_ = held;
  if (!first_reset_.has_value()) {
    RARE_CASE("idle connections were reset for their memory");
    first_reset_ = now;
    actions_.note(StrCat(problem, ": connections without a request under way are reset"));
    actions_.reset_idle();
  } else if (now < *first_reset_ + kHopeless) {
    RARE_CASE("all connections of clients were reset for their memory");
    actions_.note(StrCat(problem, ": all connections of clients are reset"));
    actions_.reset_all();
  } else {
    first_reset_.reset();
    limit_ = held + kReserve / 2;
    actions_.note(StrCat(problem, ", and not by connections: allow more with --memory-mib, or use smaller caches"));
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
