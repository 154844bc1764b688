#pragma once
// What a run has shown: for people, for programs, and as a picture.

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "bench/load.h"
#include "bench/process_usage.h"

namespace decree::bench {

struct ProcessShare {
  std::string name;   // "decreed 127.0.0.1:7001"
  ProcessUsage used;  // while it was measured; the memory is that at the end
};

struct Report {
  std::string target;
  std::string load;
  LoadOptions options;
  WorkloadOptions workload;
  size_t channels = 0;
  LoadResult result;
  std::vector<ProcessShare> processes;  // the client is the first
  // What this machine's disks wrote meanwhile; nothing if no server is known to be here.
  std::optional<uint64_t> disk_bytes;

  uint64_t operations() const { return result.All().count(); }
  double throughput() const;  // operations a second
  // Bytes of keys and values that were written.
  uint64_t payload_bytes() const;
  // Disk bytes by payload byte; nothing if nothing was written, or the disks' bytes are not known.
  std::optional<double> write_amplification() const;
};

void PrintTable(const Report& report, std::ostream& out);
std::string ToJson(const Report& report);
// Throughput and latency over time.
std::string PlotOverTime(const Report& report);

}  // namespace decree::bench
