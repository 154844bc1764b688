#include "tests/scenarios/scenario.h"

#include <charconv>
#include <set>
#include <sstream>
#include <utility>

#include <glog/logging.h>

namespace decree::scenario {
namespace {

Status Wrong(std::string text) { return absl::InvalidArgumentError(std::move(text)); }
Status NotAsExpected(std::string text) { return absl::FailedPreconditionError(std::move(text)); }

std::vector<std::string> SplitLine(std::string_view line) {
  std::istringstream rest{std::string(line.substr(0, line.find('#')))};
  std::vector<std::string> words;
  for (std::string word; rest >> word;) words.push_back(word);
  return words;
}

StatusOr<uint64_t> ParseNumber(std::string_view word) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) {
    return Wrong(StrCat("not a number: ", std::string(word)));
  }
  return value;
}

// The value of "name=value" among the words.
std::optional<std::string> Find(const std::vector<std::string>& words, std::string_view name) {
  for (const std::string& word : words) {
    if (word.starts_with(name) && word.substr(name.size()).starts_with('=')) {
      return word.substr(name.size() + 1);
    }
  }
  return std::nullopt;
}

StatusOr<uint64_t> FindNumber(const std::vector<std::string>& words, std::string_view name) {
  const std::optional<std::string> word = Find(words, name);
  if (!word.has_value()) return Wrong(StrCat(std::string(name), "= is missing"));
  return ParseNumber(*word);
}

// "put-a", "put-a+put-b" for a batch, "noop" or "configuration".
std::string NameOfValue(const paxos::Entry& entry) {
  if (entry.kind == paxos::EntryKind::kNoOp) return "noop";
  if (entry.kind == paxos::EntryKind::kConfiguration) return "configuration";
  std::string name;
  const auto commands = paxos::SplitCommands(entry.payload);
  for (const std::string_view command : *commands) {
    if (!name.empty()) name += '+';
    name += command;
  }
  return name;
}

}  // namespace

Status Scenario::Run(std::string_view text) {
  Scenario scenario;
  int number = 0;
  while (!text.empty()) {
    ++number;
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const Words words = SplitLine(line);
    if (words.empty()) continue;
    LOG(INFO) << "line " << number << ": " << line;
    const Status status = scenario.RunLine(words);
    if (!status.ok()) {
      return Status(status.code(), StrCat("line ", number, " \"", line, "\": ", std::string(status.message()), "\n",
                                          scenario.cluster_ ? scenario.cluster_->Describe() : ""));
    }
  }
  if (scenario.cluster_ == nullptr) return Wrong("an empty scenario");
  const Status status = scenario.Converge();
  if (status.ok()) return status;
  return Status(status.code(),
                StrCat("after the last line: ", std::string(status.message()), "\n", scenario.cluster_->Describe()));
}

Status Scenario::RunLine(const Words& words) {
  if (words[0] == "nodes") return MakeCluster(words);
  if (cluster_ == nullptr) return Wrong("a scenario begins with \"nodes N\"");
  RETURN_IF_ERROR(words[0] == "expect" ? RunExpectation(words) : RunCommand(words[0], words));
  cluster_->Check();
  return OkStatus();
}

Status Scenario::MakeCluster(const Words& words) {
  if (cluster_ != nullptr || words.size() < 2) return Wrong("use \"nodes N\" once");
  Settings settings;
  ASSIGN_OR_RETURN(const uint64_t nodes, ParseNumber(words[1]));
  settings.nodes = static_cast<uint32_t>(nodes);
  // Times in these scenarios are round numbers.
  settings.options.slots_in_flight_max = 16;
  for (size_t i = 2; i < words.size(); ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    ASSIGN_OR_RETURN(const uint64_t value, FindNumber(words, name));
    if (name == "q1") {
      settings.q1 = static_cast<uint32_t>(value);
    } else if (name == "q2") {
      settings.q2 = static_cast<uint32_t>(value);
    } else if (name == "lease_ms") {
      settings.lease = Milliseconds(static_cast<int64_t>(value));
    } else if (name == "slots_in_flight") {
      settings.options.slots_in_flight_max = value;
    } else if (name == "tail_bytes") {
      settings.options.tail_bytes_max = value;
    } else if (name == "page_bytes") {
      settings.options.page_bytes_max = value;
    } else if (name == "piece_bytes") {
      settings.options.fetch_piece_bytes = value;
    } else if (name == "window_slots") {
      settings.options.window_slots_max = value;
    } else {
      return Wrong(StrCat("unknown setting ", name));
    }
  }
  cluster_ = std::make_unique<Cluster>(settings);
  return OkStatus();
}

StatusOr<NodeId> Scenario::ParseNode(const std::string& word) const {
  ASSIGN_OR_RETURN(const uint64_t id, ParseNumber(word));
  if (id < 1 || id > cluster_->nodes().size()) return Wrong(StrCat("there is no node ", id));
  return NodeId(static_cast<uint32_t>(id));
}

StatusOr<Pattern> Scenario::ParsePattern(const std::string& link, const std::string& kind) const {
  const size_t arrow = link.find('>');
  if (arrow == std::string::npos) return Wrong(StrCat("a link is written A>B: ", link));
  ASSIGN_OR_RETURN(const NodeId from, ParseNode(link.substr(0, arrow)));
  ASSIGN_OR_RETURN(const NodeId to, ParseNode(link.substr(arrow + 1)));
  return Pattern{.from = from, .to = to, .kind = kind};
}

// ---- Commands ----

Status Scenario::RunCommand(const std::string& command, const Words& words) {
  static const std::set<std::string> kMessages = {"deliver", "duplicate", "drop"};
  static const std::set<std::string> kLinks = {"cut", "isolate", "heal"};
  static const std::set<std::string> kTime = {"tick", "run"};
  if (kMessages.contains(command)) return OnMessages(command, words);
  if (kLinks.contains(command)) return OnLinks(command, words);
  if (kTime.contains(command)) return OnTime(command, words);
  return OnNode(command, words);
}

Status Scenario::OnMessages(const std::string& command, const Words& words) {
  const bool all = words.size() == 2 && words[1] == "all";
  if (all && command == "deliver") {
    cluster_->DeliverAll();
    return OkStatus();
  }
  if (all && command == "drop") {
    cluster_->DropAll();
    return OkStatus();
  }
  if (words.size() != 3) return Wrong(StrCat("use \"", command, " A>B Kind\""));
  ASSIGN_OR_RETURN(const Pattern pattern, ParsePattern(words[1], words[2]));
  bool found = false;
  if (command == "deliver") {
    found = cluster_->Deliver(pattern);
  } else if (command == "duplicate") {
    found = cluster_->Duplicate(pattern);
  } else {
    found = cluster_->Drop(pattern) > 0;
  }
  return found ? OkStatus() : NotAsExpected("there is no such message");
}

Status Scenario::OnLinks(const std::string& command, const Words& words) {
  if (command == "heal") {
    cluster_->Heal();
    return OkStatus();
  }
  if (words.size() != 2) return Wrong(StrCat("use \"", command, "\" with one argument"));
  if (command == "isolate") {
    ASSIGN_OR_RETURN(const NodeId node, ParseNode(words[1]));
    for (const NodeId other : cluster_->nodes()) {
      cluster_->Cut(node, other);
      cluster_->Cut(other, node);
    }
    return OkStatus();
  }
  const bool both_ways = words[1].find('-') != std::string::npos;
  std::string link = words[1];
  if (both_ways) link[link.find('-')] = '>';
  ASSIGN_OR_RETURN(const Pattern pattern, ParsePattern(link, ""));
  cluster_->Cut(pattern.from, pattern.to);
  if (both_ways) cluster_->Cut(pattern.to, pattern.from);
  return OkStatus();
}

Status Scenario::OnTime(const std::string& command, const Words& words) {
  if (words.size() != 2) return Wrong(StrCat("use \"", command, " MILLISECONDS\""));
  ASSIGN_OR_RETURN(const uint64_t count, ParseNumber(words[1]));
  const Duration duration = Milliseconds(static_cast<int64_t>(count));
  if (command == "tick") {
    cluster_->Tick(duration);
  } else {
    cluster_->Run(duration);
  }
  return OkStatus();
}

Status Scenario::OnNode(const std::string& command, const Words& words) {
  if (words.size() < 2) return Wrong(StrCat("unknown command, or \"", command, " N\" is meant"));
  ASSIGN_OR_RETURN(const NodeId node, ParseNode(words[1]));
  if (command == "restart") {
    cluster_->Restart(node);
    return OkStatus();
  }
  if (!cluster_->IsAlive(node)) return Wrong("this node has crashed");
  if (command == "elect") {
    return cluster_->Elect(node) ? OkStatus() : NotAsExpected("it does not come to lead");
  }
  if (command == "transfer") {
    return cluster_->Transfer(node) ? OkStatus() : NotAsExpected("it does not lead");
  }
  if (command == "provoke") {
    cluster_->Provoke(node);
  } else if (command == "crash") {
    cluster_->Crash(node);
  } else if (command == "hold") {
    cluster_->HoldRecords(node);
  } else if (command == "sync") {
    cluster_->Sync(node);
  } else if (command == "release") {
    cluster_->ReleaseRecords(node);
  } else if (command == "propose" && words.size() == 3) {
    cluster_->Propose(node, words[2]);
  } else if (command == "read" && words.size() == 3) {
    cluster_->Read(node, words[2]);
  } else {
    return Wrong(StrCat("unknown command ", command));
  }
  return OkStatus();
}

// ---- Expectations ----

Status Scenario::RunExpectation(const Words& words) {
  if (words.size() < 2) return Wrong("expect what?");
  const std::string& what = words[1];
  if (what == "chosen") return ExpectChosen(words);
  if (what == "nothing-chosen") return ExpectNothingChosen(words);
  if (what == "message") return ExpectMessages(true, words);
  if (what == "no-message") return ExpectMessages(false, words);
  if (what == "read") return ExpectRead(words);
  if (what == "converged") {
    return cluster_->HasConverged() ? OkStatus() : NotAsExpected("the nodes differ");
  }
  return ExpectOfNode(what, words);
}

Status Scenario::ExpectOfNode(const std::string& what, const Words& words) {
  if (words.size() != 4) return Wrong(StrCat("use \"expect ", what, " N VALUE\""));
  ASSIGN_OR_RETURN(const NodeId node, ParseNode(words[2]));
  if (!cluster_->IsAlive(node)) return Wrong("this node has crashed");
  const paxos::Replica& replica = cluster_->replica(node);
  std::ostringstream found;
  if (what == "role") {
    found << RoleName(replica.role());
  } else if (what == "follows") {
    found << replica.leader();
  } else if (what == "promised") {
    found << replica.promised();
  } else if (what == "chosen-index") {
    found << replica.chosen_index();
  } else if (what == "lease") {
    found << (cluster_->LeaseLeft(node) > Duration::zero() ? "held" : "none");
  } else if (what == "cut-off") {
    found << (cluster_->IsCutOff(node) ? "yes" : "no");
  } else {
    return Wrong(StrCat("unknown expectation ", what));
  }
  return found.str() == words[3] ? OkStatus() : NotAsExpected(StrCat("it is ", found.str()));
}

Status Scenario::ExpectChosen(const Words& words) {
  ASSIGN_OR_RETURN(const uint64_t number, FindNumber(words, "slot"));
  const std::string value = Find(words, "value").value_or("");
  std::vector<NodeId> nodes = cluster_->nodes();
  const bool names_node = Find(words, "node").has_value();
  if (names_node) {
    ASSIGN_OR_RETURN(const NodeId node, ParseNode(*Find(words, "node")));
    nodes = {node};
  }
  for (const NodeId node : nodes) {
    const paxos::EntryPtr entry = cluster_->AppliedAt(node, Slot(number));
    if (entry == nullptr) continue;
    if (NameOfValue(*entry) == value) return OkStatus();
    return NotAsExpected(StrCat("the value is ", NameOfValue(*entry)));
  }
  return NotAsExpected(names_node ? "the node has not applied it" : "no node has applied it");
}

Status Scenario::ExpectNothingChosen(const Words& words) {
  ASSIGN_OR_RETURN(const uint64_t number, FindNumber(words, "slot"));
  for (const NodeId node : cluster_->nodes()) {
    const paxos::EntryPtr entry = cluster_->AppliedAt(node, Slot(number));
    if (entry != nullptr) return NotAsExpected(StrCat("a node applied ", NameOfValue(*entry)));
  }
  return OkStatus();
}

Status Scenario::ExpectMessages(bool some, const Words& words) {
  if (words.size() != 4) return Wrong(StrCat("use \"expect ", words[1], " A>B Kind\""));
  ASSIGN_OR_RETURN(const Pattern pattern, ParsePattern(words[2], words[3]));
  const size_t count = cluster_->Count(pattern);
  return (count > 0) == some ? OkStatus() : NotAsExpected(StrCat("there are ", count));
}

Status Scenario::ExpectRead(const Words& words) {
  if (words.size() != 4) return Wrong("use \"expect read NAME granted|refused|waiting\"");
  const std::optional<ReadState> state = cluster_->StateOf(words[2]);
  if (!state.has_value()) return Wrong("there is no such read");
  const std::string found = *state == ReadState::kGranted   ? "granted"
                            : *state == ReadState::kRefused ? "refused"
                                                            : "waiting";
  return found == words[3] ? OkStatus() : NotAsExpected(StrCat("it is ", found));
}

// The faults stop: the cluster must come together and go on.
Status Scenario::Converge() {
  cluster_->Heal();
  for (const NodeId node : cluster_->nodes()) {
    if (!cluster_->IsAlive(node)) cluster_->Restart(node);
    cluster_->ReleaseRecords(node);
  }
  for (int i = 0; i < 100; ++i) {
    cluster_->Run(Milliseconds(100));
    cluster_->Check();
  }
  for (const NodeId node : cluster_->nodes()) {
    if (cluster_->replica(node).role() != paxos::Role::kLeader) continue;
    const Slot before = cluster_->replica(node).chosen_index();
    cluster_->Propose(node, "the-last");
    cluster_->Run(Milliseconds(1000));
    cluster_->Check();
    if (cluster_->replica(node).chosen_index() == before) return NotAsExpected("no progress");
    return cluster_->HasConverged() ? OkStatus() : NotAsExpected("the nodes differ");
  }
  return NotAsExpected("nobody leads ten seconds after the faults have stopped");
}

}  // namespace decree::scenario
