#pragma once
// Two systems beside each other: what the rounds of a comparison have shown, and in which ratio.

#include <map>
#include <string>
#include <vector>

#include "paxos/base/status.h"

namespace decree::bench {

// The figures of one run, as decree-bench --json tells them.
struct Measured {
  double throughput = 0;
  double p50_us = 0;
  double p99_us = 0;
  double longest_gap_ms = 0;
  double cpu_us = 0;  // of all servers, per operation
};

struct MillionKeys {
  double resident_mib = 0;
  double restart_ms = 0;
};

class Comparison {
 public:
  // Reads DIRECTORY/SYSTEM.LOAD.ROUND.json, where SYSTEM is decree, etcd or echo. kInvalidArgument or
  // kNotFound names the file and what is wrong with it.
  static StatusOr<Comparison> Read(const std::string& directory);

  // The tables in Markdown, for the README.
  std::string ToMarkdown(const std::string& etcd_version) const;
  std::string ToSvg() const;

  // The ratio of Decree's figure under one load to etcd's under another, of each round that both have.
  std::vector<double> Ratios(const std::string& ours, const std::string& theirs, double Measured::*figure) const;
  // The median over all rounds of a system; 0 if there are none.
  double MedianOf(const std::string& system, const std::string& load, double Measured::*figure) const;

 private:
  using Rounds = std::map<int, Measured>;

  const Rounds& Of(const std::string& system, const std::string& load) const;
  std::string LoadTable() const;
  std::string KillTable() const;
  std::string MillionTable() const;

  std::map<std::string, std::map<std::string, Rounds>> measured_;  // by system and load
  std::map<std::string, MillionKeys> million_keys_;
};

double Median(std::vector<double> values);

}  // namespace decree::bench
