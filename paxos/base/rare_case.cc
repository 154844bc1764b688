#include "paxos/base/rare_case.h"

#include <mutex>
#include <vector>

namespace decree {
namespace {

struct Registry {
  std::mutex mutex;
  std::vector<const RareCase*> cases;
};

// Never destroyed: a case may be reached while the program's other statics go.
Registry& GetRegistry() {
  static Registry& registry = *new Registry;
  return registry;
}

}  // namespace

RareCase::RareCase(const char* name) : name_(name) {
  Registry& registry = GetRegistry();
  const std::lock_guard lock(registry.mutex);
  registry.cases.push_back(this);
}

std::map<std::string, uint64_t> RareCase::Counts() {
  Registry& registry = GetRegistry();
  const std::lock_guard lock(registry.mutex);
  std::map<std::string, uint64_t> counts;
  for (const RareCase* rare_case : registry.cases) {
    counts[rare_case->name_] += rare_case->count_.load(std::memory_order_relaxed);
  }
  return counts;
}

}  // namespace decree
