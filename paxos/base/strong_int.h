#pragma once
// Integers that do not mix: a Slot cannot be passed where a Ticket is meant.
//
// Ordered and hashable; `value()` gives the raw number, `Next()` and `Previous()` step by one. There
// is deliberately no arithmetic between two of them except the distance.

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>
#include <ostream>

namespace decree {

template <typename Tag, typename Raw>
class StrongInt {
 public:
  using RawType = Raw;

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Raw value) : value_(value) {}

  static constexpr StrongInt Max() { return StrongInt(std::numeric_limits<Raw>::max()); }

  constexpr Raw value() const { return value_; }
  constexpr bool IsZero() const { return value_ == 0; }
  constexpr StrongInt Next() const { return StrongInt(static_cast<Raw>(value_ + 1)); }
  constexpr StrongInt Previous() const { return StrongInt(static_cast<Raw>(value_ - 1)); }
  constexpr StrongInt Plus(Raw distance) const { return StrongInt(static_cast<Raw>(value_ + distance)); }
  // How far this lies above `low`; the caller knows that it does.
  constexpr Raw DistanceFrom(StrongInt low) const { return static_cast<Raw>(value_ - low.value_); }

  StrongInt& operator++() {
    ++value_;
    return *this;
  }

  friend constexpr auto operator<=>(const StrongInt&, const StrongInt&) = default;
  friend std::ostream& operator<<(std::ostream& out, StrongInt value) { return out << +value.value_; }
  template <typename H>
  friend H AbslHashValue(H state, StrongInt value) {
    return H::combine(std::move(state), value.value_);
  }

 private:
  Raw value_ = 0;
};

}  // namespace decree

template <typename Tag, typename Raw>
struct std::hash<decree::StrongInt<Tag, Raw>> {
  std::size_t operator()(const decree::StrongInt<Tag, Raw>& value) const noexcept {
    return std::hash<Raw>()(value.value());
  }
};
