#include "tests/sim/fault.h"

#include <utility>

namespace decree::sim {
namespace {

constexpr std::array<std::string_view, kFaultCount> kNames = {
    "loss",
    "duplication",
    "long-delay",
    "power-loss",
    "kill",
    "crash-at-write",
    "failing-disk",
    "crash-of-all",
    "pause",
    "split",
    "cut-pair",
    "cut-one-way",
    "isolate-leader",
    "isolate-new-leader",
    "restart-granters",
    "slow-disk",
    "transfer",
    "clock-rate",
    "clock-jump",
    "new-disk",
    "slow-links",
    "dying-source",
    "slow-kinds",
    "late-accept",
};

std::optional<Fault> FindFault(std::string_view name) {
  for (const Fault fault : AllFaults()) {
    if (FaultName(fault) == name) return fault;
  }
  return std::nullopt;
}

Status UnknownFault(std::string_view name) {
  std::string names;
  for (const std::string_view known : kNames) names.append(" ").append(known);
  return absl::InvalidArgumentError(
      StrCat("there is no fault \"", std::string(name), "\"; there are: all none", names));
}

}  // namespace

std::string_view FaultName(Fault fault) { return kNames[static_cast<size_t>(fault)]; }

std::array<Fault, kFaultCount> AllFaults() {
  std::array<Fault, kFaultCount> faults;
  for (size_t i = 0; i < kFaultCount; ++i) faults[i] = static_cast<Fault>(i);
  return faults;
}

StatusOr<FaultSet> ParseFaults(std::string_view text) {
  FaultSet faults;
  if (text == "none") return faults;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view name = text.substr(0, comma);
    const std::optional<Fault> fault = FindFault(name);
    if (!fault.has_value()) return UnknownFault(name);
    faults.Add(*fault);
    if (comma == std::string_view::npos) return faults;
    text.remove_prefix(comma + 1);
  }
}

}  // namespace decree::sim
