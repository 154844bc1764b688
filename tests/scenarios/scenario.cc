#include "tests/scenarios/scenario.h"

#include <charconv>
#include <optional>
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
  ASSIGN_OR_RETURN(const uint64_t nodes, ParseNumber(words[1]));
  paxos::Configuration founding = paxos::Voters(static_cast<uint32_t>(nodes));
  paxos::Options options;
  // Times in these scenarios are round numbers.
  options.slots_in_flight_max = 16;
  for (size_t i = 2; i < words.size(); ++i) {
    const std::string name = words[i].substr(0, words[i].find('='));
    ASSIGN_OR_RETURN(const uint64_t value, FindNumber(words, name));
    if (name == "q1") {
      founding.q1 = static_cast<uint32_t>(value);
    } else if (name == "q2") {
      founding.q2 = static_cast<uint32_t>(value);
    } else if (name == "lease_ms") {
      founding.lease = Milliseconds(static_cast<int64_t>(value));
    } else if (name == "slots_in_flight") {
      options.slots_in_flight_max = value;
    } else if (name == "tail_bytes") {
      options.tail_bytes_max = value;
    } else if (name == "page_bytes") {
      options.page_bytes_max = value;
    } else if (name == "piece_bytes") {
      options.fetch_piece_bytes = value;
    } else if (name == "window_slots") {
      options.window_slots_max = value;
    } else {
      return Wrong(StrCat("unknown setting ", name));
    }
  }
  RETURN_IF_ERROR(founding.Validate());
  RETURN_IF_ERROR(options.Validate());
  RETURN_IF_ERROR(options.ValidateWith(founding));
  cluster_ = std::make_unique<check::ReplicaCluster>(static_cast<uint32_t>(nodes), founding, options);
  cluster_->passes = [this](const paxos::Envelope& envelope) {
    return !cut_.contains({envelope.from.value(), envelope.to.value()});
  };
  return OkStatus();
}

StatusOr<uint32_t> Scenario::ParseNode(const std::string& word) const {
  ASSIGN_OR_RETURN(const uint64_t id, ParseNumber(word));
  if (id < 1 || id > cluster_->size()) return Wrong(StrCat("there is no node ", id));
  return static_cast<uint32_t>(id);
}

StatusOr<Scenario::Link> Scenario::ParseLink(const std::string& word) const {
  const size_t arrow = word.find('>');
  if (arrow == std::string::npos) return Wrong(StrCat("a link is written A>B: ", word));
  ASSIGN_OR_RETURN(const uint32_t from, ParseNode(word.substr(0, arrow)));
  ASSIGN_OR_RETURN(const uint32_t to, ParseNode(word.substr(arrow + 1)));
  return Link{from, to};
}

StatusOr<check::Mail::Pattern> Scenario::ParsePattern(const std::string& link, const std::string& kind) const {
  ASSIGN_OR_RETURN(const Link ends, ParseLink(link));
  return check::Mail::Pattern{.from = paxos::NodeId(ends.first), .to = paxos::NodeId(ends.second), .kind = kind};
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
    cluster_->mail().DropAll();
    return OkStatus();
  }
  if (words.size() != 3) return Wrong(StrCat("use \"", command, " A>B Kind\""));
  ASSIGN_OR_RETURN(const check::Mail::Pattern pattern, ParsePattern(words[1], words[2]));
  check::Mail& mail = cluster_->mail();
  if (command == "drop") return mail.Drop(pattern) > 0 ? OkStatus() : NotAsExpected("there is no such message");
  const std::optional<paxos::Envelope> found = command == "deliver" ? mail.Take(pattern) : mail.Copy(pattern);
  if (!found.has_value()) return NotAsExpected("there is no such message");
  cluster_->Deliver(*found);
  return OkStatus();
}

Status Scenario::OnLinks(const std::string& command, const Words& words) {
  if (command == "heal") {
    cut_.clear();
    return OkStatus();
  }
  if (words.size() != 2) return Wrong(StrCat("use \"", command, "\" with one argument"));
  if (command == "isolate") {
    ASSIGN_OR_RETURN(const uint32_t node, ParseNode(words[1]));
    for (uint32_t other = 1; other <= cluster_->size(); ++other) cut_.insert({{node, other}, {other, node}});
    return OkStatus();
  }
  const bool both_ways = words[1].find('-') != std::string::npos;
  std::string word = words[1];
  if (both_ways) word[word.find('-')] = '>';
  ASSIGN_OR_RETURN(const Link link, ParseLink(word));
  cut_.insert(link);
  if (both_ways) cut_.insert({link.second, link.first});
  return OkStatus();
}

Status Scenario::OnTime(const std::string& command, const Words& words) {
  if (words.size() != 2) return Wrong(StrCat("use \"", command, " MILLISECONDS\""));
  ASSIGN_OR_RETURN(const uint64_t count, ParseNumber(words[1]));
  const Duration duration = Milliseconds(static_cast<int64_t>(count));
  if (command == "tick") {
    cluster_->Tick(duration);
  } else {
    cluster_->Pass(duration);
  }
  return OkStatus();
}

Status Scenario::OnNode(const std::string& command, const Words& words) {
  if (words.size() < 2) return Wrong(StrCat("unknown command, or \"", command, " N\" is meant"));
  ASSIGN_OR_RETURN(const uint32_t node, ParseNode(words[1]));
  if (command == "restart") {
    if (cluster_->IsAlive(node)) return Wrong("this node has not crashed");
    cluster_->Restart(node);
    return OkStatus();
  }
  if (!cluster_->IsAlive(node)) return Wrong("this node has crashed");
  if (command == "elect") {
    return cluster_->Elect(node) ? OkStatus() : NotAsExpected("it does not come to lead");
  }
  if (command == "transfer") {
    const bool has_begun = cluster_->Transfer(node) == paxos::TransferResult::kBegun;
    return has_begun ? OkStatus() : NotAsExpected("it does not lead");
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
    return Propose(node, words[2]);
  } else if (command == "read" && words.size() == 3) {
    BeginRead(node, words[2]);
  } else {
    return Wrong(StrCat("unknown command ", command));
  }
  return OkStatus();
}

Status Scenario::Propose(uint32_t node, const std::string& command) {
  const bool is_queued = cluster_->Propose(node, command) == paxos::ProposeResult::kQueued;
  return is_queued ? OkStatus() : NotAsExpected(StrCat("n", node, " does not take ", command));
}

void Scenario::BeginRead(uint32_t node, const std::string& name) {
  const Read read{.node = node, .id = reads_.size() + 1};
  reads_.insert_or_assign(name, read);
  cluster_->Read(node, read.id);
}

// A granted read is served once its slot is applied.
std::string Scenario::StateOf(const Read& read) const {
  for (const paxos::RefusedRead& refused : cluster_->Refused(read.node)) {
    if (refused.id.value() == read.id) return "refused";
  }
  for (const paxos::ReadGrant& grant : cluster_->Granted(read.node)) {
    if (grant.id.value() == read.id && cluster_->LastApplied(read.node) >= grant.slot) return "granted";
  }
  return "waiting";
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
  ASSIGN_OR_RETURN(const uint32_t node, ParseNode(words[2]));
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
    found << (replica.LeaseLeft(cluster_->now()) > Duration::zero() ? "held" : "none");
  } else if (what == "cut-off") {
    found << (replica.IsCutOff(cluster_->now()) ? "yes" : "no");
  } else {
    return Wrong(StrCat("unknown expectation ", what));
  }
  return found.str() == words[3] ? OkStatus() : NotAsExpected(StrCat("it is ", found.str()));
}

Status Scenario::ExpectChosen(const Words& words) {
  ASSIGN_OR_RETURN(const uint64_t number, FindNumber(words, "slot"));
  const std::string value = Find(words, "value").value_or("");
  uint32_t first = 1;
  uint32_t last = cluster_->size();
  const bool names_node = Find(words, "node").has_value();
  if (names_node) {
    ASSIGN_OR_RETURN(const uint32_t node, ParseNode(*Find(words, "node")));
    first = last = node;
  }
  for (uint32_t node = first; node <= last; ++node) {
    const paxos::EntryPtr entry = cluster_->AppliedAt(node, paxos::Slot(number));
    if (entry == nullptr) continue;
    if (check::NameOf(*entry) == value) return OkStatus();
    return NotAsExpected(StrCat("the value is ", check::NameOf(*entry)));
  }
  return NotAsExpected(names_node ? "the node has not applied it" : "no node has applied it");
}

Status Scenario::ExpectNothingChosen(const Words& words) {
  ASSIGN_OR_RETURN(const uint64_t number, FindNumber(words, "slot"));
  for (uint32_t node = 1; node <= cluster_->size(); ++node) {
    const paxos::EntryPtr entry = cluster_->AppliedAt(node, paxos::Slot(number));
    if (entry != nullptr) return NotAsExpected(StrCat("a node applied ", check::NameOf(*entry)));
  }
  return OkStatus();
}

Status Scenario::ExpectMessages(bool some, const Words& words) {
  if (words.size() != 4) return Wrong(StrCat("use \"expect ", words[1], " A>B Kind\""));
  ASSIGN_OR_RETURN(const check::Mail::Pattern pattern, ParsePattern(words[2], words[3]));
  const size_t count = cluster_->mail().Count(pattern);
  return (count > 0) == some ? OkStatus() : NotAsExpected(StrCat("there are ", count));
}

Status Scenario::ExpectRead(const Words& words) {
  if (words.size() != 4) return Wrong("use \"expect read NAME granted|refused|waiting\"");
  const auto read = reads_.find(words[2]);
  if (read == reads_.end()) return Wrong("there is no such read");
  const std::string found = StateOf(read->second);
  return found == words[3] ? OkStatus() : NotAsExpected(StrCat("it is ", found));
}

// The faults stop: the cluster must come together and go on.
Status Scenario::Converge() {
  cut_.clear();
  for (uint32_t node = 1; node <= cluster_->size(); ++node) {
    if (!cluster_->IsAlive(node)) cluster_->Restart(node);
    cluster_->ReleaseRecords(node);
  }
  for (int i = 0; i < 100; ++i) {
    cluster_->Pass(Milliseconds(100));
    cluster_->Check();
  }
  for (uint32_t node = 1; node <= cluster_->size(); ++node) {
    if (cluster_->replica(node).role() != paxos::Role::kLeader) continue;
    const paxos::Slot before = cluster_->replica(node).chosen_index();
    RETURN_IF_ERROR(Propose(node, "the-last"));
    cluster_->Pass(Milliseconds(1000));
    cluster_->Check();
    if (cluster_->replica(node).chosen_index() == before) return NotAsExpected("no progress");
    return cluster_->HasConverged() ? OkStatus() : NotAsExpected("the nodes differ");
  }
  return NotAsExpected("nobody leads ten seconds after the faults have stopped");
}

}  // namespace decree::scenario
