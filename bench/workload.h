#pragma once
// What a benchmark asks for: which kind of request comes next, and for which key.

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bench/zipf.h"
#include "paxos/base/random.h"
#include "paxos/base/status.h"

namespace decree::bench {

enum class Kind {
  kPut,
  kGet,  // linearizable
  kStaleGet,
  kSwap,    // compare-and-swap on the revision that was last seen of the key
  kModify,  // a read, and a swap on what it saw
  kInsert,  // a put of a key that is new
};
inline constexpr size_t kKinds = 6;

std::string_view KindName(Kind kind);

enum class Keys { kUniform, kZipfian, kLatest };

struct WorkloadOptions {
  // Shares of the kinds, in any unit.
  std::array<double, kKinds> shares{};
  Keys distribution = Keys::kUniform;
  uint64_t keys = 100'000;
  size_t key_bytes = 24;
  size_t value_bytes = 256;

  // put, get, stale-get, swap, modify, insert, mixed, or ycsb-a, b, c, d, f. kInvalidArgument: lists them.
  Status SetLoad(std::string_view name);
  // "put=50,get=50". kInvalidArgument: what is wrong, and what is allowed.
  Status SetMix(std::string_view mix);
  Status Validate() const;
  bool Has(Kind kind) const { return shares[static_cast<size_t>(kind)] > 0; }
};

// Draws requests. One thread.
class Workload {
 public:
  struct Request {
    Kind kind;
    uint64_t key;
  };

  // `options` are valid.
  Workload(const WorkloadOptions& options, uint64_t seed);

  Request Next();
  bool Has(Kind kind) const { return options_.Has(kind); }
  // How many keys there are by now.
  uint64_t keys() const { return keys_; }

  // The key's bytes, `key_bytes` long.
  std::string KeyAt(uint64_t key) const;
  // A value that does not compress and differs from call to call; valid until the next call.
  std::string_view NextValue();

 private:
  uint64_t NextKey();

  const WorkloadOptions options_;
  double total_ = 0;
  Random random_;
  std::optional<Zipf> zipf_;
  uint64_t keys_;
  std::string noise_;
};

}  // namespace decree::bench
