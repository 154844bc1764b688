#pragma once
// Marks rare cases, so that a campaign of the simulator can show which it has reached.
//
//   RARE_CASE("a leader proposed again a value that it saw at one acceptor only");
//
// A case that was compiled in but never reached is listed too, with zero. Reaching one is one relaxed atomic add;
// safe from any thread.

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

namespace decree {

class RareCase {
 public:
  explicit RareCase(const char* name);
  RareCase(const RareCase&) = delete;
  RareCase& operator=(const RareCase&) = delete;

  void Reach() { count_.fetch_add(1, std::memory_order_relaxed); }

  // All rare cases of this program by name, with how often each was reached since its start.
  static std::map<std::string, uint64_t> Counts();

 private:
  const char* const name_;
  std::atomic<uint64_t> count_{0};
};

namespace rare_case_internal {

template <size_t n>
struct Name {
  // Implicit, so that a literal can be a template argument.
  constexpr Name(const char (&text)[n]) { std::copy_n(text, n, value); }  // NOLINT
  char value[n];
};

// One object for each name, made before main() even where the line is never reached.
template <Name name>
struct Site {
  static inline RareCase rare_case{name.value};
};

}  // namespace rare_case_internal
}  // namespace decree

#define RARE_CASE(name) ::decree::rare_case_internal::Site<name>::rare_case.Reach()
