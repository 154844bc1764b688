#include "paxos/base/probe.h"

#include <mutex>
#include <vector>

namespace decree {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const Probe*> probes;
};

// Never destroyed: probes may be hit while the program's other statics go.
Registry& GetRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

}  // namespace

Probe::Probe(const char* name) : name_(name) {
  Registry& registry = GetRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.probes.push_back(this);
}

std::map<std::string, uint64_t> Probe::Counts() {
  Registry& registry = GetRegistry();
  const std::lock_guard lock(registry.mutex);
  std::map<std::string, uint64_t> counts;
  for (const Probe* probe : registry.probes) {
    counts[probe->name_] += probe->hits_.load(std::memory_order_relaxed);
  }
  return counts;
}

}  // namespace decree
