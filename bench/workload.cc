#include "bench/workload.h"

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

namespace decree::bench {
namespace {

constexpr std::array<std::string_view, kKinds> kKindNames = {"put", "get", "stale-get", "swap", "modify", "insert"};
constexpr double kZipfExponent = 0.99;  // YCSB's
constexpr size_t kKeyBytesMin = 16, kKeyBytesMax = 4096;
constexpr size_t kValueBytesMax = 1 << 20;
constexpr size_t kNoiseBytes = 1 << 20;

struct NamedLoad {
  std::string_view name;
  std::string_view mix;
  Keys distribution;
};

// "mixed" and YCSB's core workloads; E needs scans.
constexpr NamedLoad kLoads[] = {
    {"mixed", "put=50,get=50", Keys::kUniform},   {"ycsb-a", "put=50,get=50", Keys::kZipfian},
    {"ycsb-b", "put=5,get=95", Keys::kZipfian},   {"ycsb-c", "get=100", Keys::kZipfian},
    {"ycsb-d", "insert=5,get=95", Keys::kLatest}, {"ycsb-f", "modify=50,get=50", Keys::kZipfian},
};

std::string KindsText() {
  std::string text;
  for (const std::string_view name : kKindNames) {
    text += text.empty() ? "" : ", ";
    text += name;
  }
  return text;
}

std::optional<Kind> KindNamed(std::string_view name) {
  const auto found = std::find(kKindNames.begin(), kKindNames.end(), name);
  if (found == kKindNames.end()) return std::nullopt;
  return static_cast<Kind>(found - kKindNames.begin());
}

Status CheckWithin(const char* name, uint64_t value, uint64_t least, uint64_t most) {
  if (value >= least && value <= most) return OkStatus();
  return absl::InvalidArgumentError(StrCat(name, " is ", value, "; it must be from ", least, " to ", most));
}

}  // namespace

std::string_view KindName(Kind kind) { return kKindNames[static_cast<size_t>(kind)]; }

Status WorkloadOptions::SetLoad(std::string_view name) {
  if (const auto kind = KindNamed(name)) {
    shares = {};
    shares[static_cast<size_t>(*kind)] = 1;
    return OkStatus();
  }
  std::string known = KindsText();
  for (const NamedLoad& load : kLoads) {
    if (load.name == name) {
      distribution = load.distribution;
      return SetMix(load.mix);
    }
    known += ", ";
    known += load.name;
  }
  return absl::InvalidArgumentError(StrCat("there is no load \"", std::string(name), "\"; known are ", known));
}

Status WorkloadOptions::SetMix(std::string_view mix) {
  std::array<double, kKinds> found{};
  for (std::string_view rest = mix; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view part = rest.substr(0, comma);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
    const size_t equals = std::min(part.find('='), part.size());
    const auto kind = KindNamed(part.substr(0, equals));
    const std::string_view number = part.substr(std::min(equals + 1, part.size()));
    double share = 0;
    const auto parsed = std::from_chars(number.data(), number.data() + number.size(), share);
    if (!kind || parsed.ec != std::errc() || parsed.ptr != number.data() + number.size() ||
        !(share >= 0 && share <= 1e9)) {
      return absl::InvalidArgumentError(
          StrCat("mix: \"", std::string(part), "\" is not of the form KIND=SHARE; kinds are ", KindsText()));
    }
    found[static_cast<size_t>(*kind)] += share;
  }
  shares = found;
  return OkStatus();
}

Status WorkloadOptions::Validate() const {
  double total = 0;
  for (const double share : shares) total += share;
  if (total <= 0) return absl::InvalidArgumentError("mix: all shares are 0");
  RETURN_IF_ERROR(CheckWithin("keys", keys, 1, 1'000'000'000));
  RETURN_IF_ERROR(CheckWithin("key-size", key_bytes, kKeyBytesMin, kKeyBytesMax));
  return CheckWithin("value-size", value_bytes, 0, kValueBytesMax);
}

Workload::Workload(const WorkloadOptions& options, uint64_t seed)
    : options_(options), random_(seed), keys_(options.keys) {
  for (const double share : options_.shares) total_ += share;
  if (options_.distribution != Keys::kUniform) zipf_.emplace(options_.keys, kZipfExponent);
  noise_.resize(kNoiseBytes + kValueBytesMax);
  for (char& byte : noise_) byte = static_cast<char>(random_.Next());
}

Workload::Request Workload::Next() {
  double point = static_cast<double>(random_.Next() >> 11) * 0x1.0p-53 * total_;
  Kind kind = Kind::kPut;
  for (size_t i = 0; i < kKinds; ++i) {
    if (options_.shares[i] == 0) continue;
    kind = static_cast<Kind>(i);
    if (point < options_.shares[i]) break;
    point -= options_.shares[i];
  }
  if (kind == Kind::kInsert) return {kind, keys_++};
  return {kind, NextKey()};
}

uint64_t Workload::NextKey() {
  switch (options_.distribution) {
    case Keys::kUniform:
      return random_.Below(keys_);
    case Keys::kLatest:
      return keys_ - 1 - zipf_->Draw(random_);
    case Keys::kZipfian:
      break;
  }
  // The ranks are spread, for neighbours in the order of keys would make the store's work too easy.
  const uint64_t rank = zipf_->Draw(random_);
  return Random(rank).Next() % options_.keys;
}

std::string Workload::KeyAt(uint64_t key) const {
  std::string text = StrCat("bench/", absl::Dec(key, absl::kZeroPad10));
  text.resize(options_.key_bytes, '.');
  return text;
}

std::string_view Workload::NextValue() {
  return std::string_view(noise_).substr(random_.Below(kNoiseBytes), options_.value_bytes);
}

}  // namespace decree::bench
