#pragma once
// Marks rare situations, so that a campaign of the simulator can show which it reached.
//
//   PROBE("leader re-proposed a value seen at one acceptor only");
//
// A probe that was compiled in but never hit is listed too, with zero. Hitting one is one relaxed
// atomic add; safe from any thread.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace decree {

class Probe {
 public:
  explicit Probe(const char* name);
  Probe(const Probe&) = delete;
  Probe& operator=(const Probe&) = delete;

  void Hit() { hits_.fetch_add(1, std::memory_order_relaxed); }

  // All probes of this program by name, with how often each was hit since its start.
  static std::map<std::string, uint64_t> Counts();

 private:
  const char* const name_;
  std::atomic<uint64_t> hits_{0};
};

namespace probe_internal {

template <size_t n>
struct Name {
  // Implicit, so that a literal can be a template argument.
  constexpr Name(const char (&text)[n]) { std::copy_n(text, n, value); }  // NOLINT
  char value[n];
};

// One object for each name, made before main() even where the line is never reached.
template <Name name>
struct Site {
  static inline Probe probe{name.value};
};

}  // namespace probe_internal
}  // namespace decree

#define PROBE(name) ::decree::probe_internal::Site<name>::probe.Hit()
