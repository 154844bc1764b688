#include "tests/process/process_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include <glog/logging.h>

namespace decree::process {
namespace {

bool Binds(int socket_number, int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return bind(socket_number, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0;
}

bool IsFree(int port) {
  const int socket_number = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  PCHECK(socket_number >= 0);
  const int yes = 1;  // As decreed does: connections that have just ended there do no harm.
  PCHECK(setsockopt(socket_number, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes)) == 0);
  const bool is_free = Binds(socket_number, port);
  close(socket_number);
  return is_free;
}

constexpr int kBlockPorts = 100;

// The first port of a block that is this process's own to its end, for it holds that port. Below those that the
// system gives to connections: nobody is to take a port between here and the node that is to have it, nor while
// that node is down.
int TakeBlock() {
  constexpr int kFirst = 10'000, kLast = 30'000;
  for (int first = kFirst; first < kLast; first += kBlockPorts) {
    const int holder = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    PCHECK(holder >= 0);
    if (Binds(holder, first)) return first;
    close(holder);
  }
  LOG(FATAL) << "all ports for tests are taken";
}

// They are given in turn, so one is given again long after its cluster has gone.
uint16_t FreePort() {
  static const int block = TakeBlock();
  static int next = 0;
  for (int attempt = 1; attempt < kBlockPorts; ++attempt) {
    const int port = block + 1 + next++ % (kBlockPorts - 1);
    if (IsFree(port)) return static_cast<uint16_t>(port);
  }
  LOG(FATAL) << "no port is free";
}

std::string Loopback(uint16_t port) { return StrCat("127.0.0.1:", port); }

// Whether this process has made the connection.
bool IsOwn(const check::Ports& ports) {
  const auto port = [](int file, auto name_of) -> uint16_t {
    sockaddr_in6 address{};
    socklen_t size = sizeof(address);
    if (name_of(file, reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    // At the same place for both versions of IP.
    return ntohs(address.sin6_port);
  };
  std::error_code gone;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", gone)) {
    const int file = std::stoi(entry.path().filename());
    if (port(file, getsockname) == ports.from && port(file, getpeername) == ports.to) return true;
  }
  return false;
}

// The inode of the socket that has made this connection on loopback; 0 if none is listed. Another connection may come
// from the same port, or stay listed for a minute after its end, so both ports count, and there may be many lines.
uint64_t InodeOfSocket(const check::Ports& ports) {
  constexpr char kEstablished[] = "01";
  // A socket that speaks both versions of IP stands among those of the newer.
  const std::pair<const char*, const char*> tables[] = {{"/proc/net/tcp", "0100007F"},
                                                        {"/proc/net/tcp6", "0000000000000000FFFF00000100007F"}};
  for (const auto& [name, loopback] : tables) {
    std::ifstream file(name);
    const std::string table(std::istreambuf_iterator<char>(file), {});
    char start[128];
    snprintf(start, sizeof(start), " %s:%04X %s:%04X %s ", loopback, ports.from, loopback, ports.to, kEstablished);
    const size_t found = table.find(start);
    if (found == std::string::npos) continue;
    std::istringstream words(table.substr(found + strlen(start), 200));
    std::string queues, timer, retransmits, user, timeout;
    uint64_t inode = 0;
    words >> queues >> timer >> retransmits >> user >> timeout >> inode;
    return inode;
  }
  return 0;
}

bool HasSocket(const std::string& process, const std::string& socket) {
  std::error_code gone;
  for (const auto& file : std::filesystem::directory_iterator(StrCat("/proc/", process, "/fd"), gone)) {
    if (std::filesystem::read_symlink(file, gone) == socket) return true;
  }
  return false;
}

std::string Program() {
  const char* const path = std::getenv("DECREED");
  CHECK(path != nullptr) << "DECREED must name the program";
  return path;
}

}  // namespace

bool WaitFor(const std::function<bool()>& condition, Duration limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

ProcessCluster::ProcessCluster(uint32_t nodes, Arguments extra)
    : arguments_(std::move(extra)), members_(nodes), nodes_(nodes) {
  std::string pattern = std::filesystem::temp_directory_path() / "decree-test-XXXXXX";
  CHECK(mkdtemp(pattern.data()) != nullptr) << pattern;
  directory_ = pattern;
  const auto whose = [this](const check::Ports& ports) { return WhoMade(ports); };
  for (Node& node : nodes_) {
    if (!arguments_.has_proxies) break;
    node.client_proxy = std::make_unique<check::TcpProxy>(whose);
    node.peer_proxy = std::make_unique<check::TcpProxy>(whose);
  }
  for (Node& node : nodes_) {
    node.client_port = FreePort();
    node.peer_port = FreePort();
    if (!arguments_.has_proxies) continue;
    node.client_proxy->LeadTo(node.client_port);
    node.peer_proxy->LeadTo(node.peer_port);
  }
  for (uint32_t id = 1; id <= nodes; ++id) Format(id, id);
  for (uint32_t id = 1; id <= nodes; ++id) Start(id);
}

ProcessCluster::~ProcessCluster() {
  KillAll();
  // Kept if something went wrong, for whoever looks into it.
  if (std::uncaught_exceptions() == 0) std::filesystem::remove_all(directory_);
}

std::string ProcessCluster::Endpoint(uint32_t node) const {
  const Node& it = nodes_[node - 1];
  return Loopback(it.client_proxy != nullptr ? it.client_proxy->port() : it.client_port);
}

std::string ProcessCluster::PeerAddress(uint32_t node) const {
  const Node& it = nodes_[node - 1];
  return Loopback(it.peer_proxy != nullptr ? it.peer_proxy->port() : it.peer_port);
}

std::string ProcessCluster::Log(uint32_t node) const {
  std::ifstream file(DataDirectory(node) + ".log");
  return std::string(std::istreambuf_iterator<char>(file), {});
}

std::string ProcessCluster::DataDirectory(uint32_t node) const { return StrCat(directory_, "/n", node); }

// ---- Processes ----

pid_t ProcessCluster::Spawn(const std::vector<std::string>& arguments, const std::string& log) const {
  const std::string program = Program();
  std::vector<char*> argv{const_cast<char*>(program.c_str())};
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const int output = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  PCHECK(output >= 0) << log;
  const pid_t pid = fork();
  PCHECK(pid >= 0);
  if (pid == 0) {
    // Not to outlive a test that is killed.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    const rlimit files{.rlim_cur = files_max_, .rlim_max = files_max_};
    if (files_max_ > 0) setrlimit(RLIMIT_NOFILE, &files);
    dup2(output, STDOUT_FILENO);
    dup2(output, STDERR_FILENO);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(output);
  return pid;
}

uint32_t ProcessCluster::AddSpare() {
  nodes_.emplace_back();
  nodes_.back().client_port = FreePort();
  nodes_.back().peer_port = FreePort();
  return size();
}

void ProcessCluster::Format(uint32_t node, uint32_t as, const std::string& cluster) {
  std::vector<std::string> arguments{"init",  "--data", DataDirectory(node), "--cluster",
                                     cluster, "--node", std::to_string(as)};
  for (uint32_t id = 1; id <= members_; ++id) {
    arguments.push_back("--member");
    arguments.push_back(StrCat(id, "=", PeerAddress(id), ",", Endpoint(id)));
  }
  arguments.insert(arguments.end(), arguments_.init.begin(), arguments_.init.end());
  nodes_[node - 1].pid = Spawn(arguments, "/dev/null");
  CHECK_EQ(Wait(node), 0) << "decreed init of node " << as;
}

void ProcessCluster::Start(uint32_t node, const std::vector<std::string>& more_arguments) {
  CHECK(!IsRunning(node)) << node;
  std::vector<std::string> arguments{"serve", "--data", DataDirectory(node)};
  if (arguments_.has_proxies && node <= members_) {
    arguments.insert(arguments.end(), {"--listen-peer", Loopback(nodes_[node - 1].peer_port), "--listen-client",
                                       Loopback(nodes_[node - 1].client_port)});
  }
  arguments.insert(arguments.end(), arguments_.serve.begin(), arguments_.serve.end());
  arguments.insert(arguments.end(), more_arguments.begin(), more_arguments.end());
  const std::lock_guard lock(pids_mutex_);
  nodes_[node - 1].pid = Spawn(arguments, DataDirectory(node) + ".log");
  pids_[nodes_[node - 1].pid] = node;
}

void ProcessCluster::Signal(uint32_t node, int signal) {
  CHECK(IsRunning(node)) << node;
  PCHECK(kill(nodes_[node - 1].pid, signal) == 0);
}

void ProcessCluster::Kill(uint32_t node) {
  Signal(node, SIGKILL);
  Wait(node);
}

void ProcessCluster::KillAll() {
  for (uint32_t node = 1; node <= size(); ++node) {
    if (IsRunning(node)) Signal(node, SIGKILL);
  }
  for (uint32_t node = 1; node <= size(); ++node) {
    if (IsRunning(node)) Wait(node);
  }
}

int ProcessCluster::Wait(uint32_t node) {
  int status = 0;
  PCHECK(waitpid(nodes_[node - 1].pid, &status, 0) == nodes_[node - 1].pid);
  const std::lock_guard lock(pids_mutex_);
  pids_.erase(nodes_[node - 1].pid);
  nodes_[node - 1].pid = 0;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// ---- Links ----

void ProcessCluster::Cut(uint32_t from, uint32_t to) {
  CHECK(arguments_.has_proxies);
  nodes_[to - 1].cut_from |= uint64_t{1} << from;
  ApplyCuts();
}

void ProcessCluster::Isolate(uint32_t node) {
  for (uint32_t other = 1; other <= members_; ++other) {
    if (other == node) continue;
    Cut(other, node);
    Cut(node, other);
  }
}

void ProcessCluster::Heal() {
  for (Node& node : nodes_) node.cut_from = 0;
  ApplyCuts();
}

void ProcessCluster::ApplyCuts() {
  for (uint32_t id = 1; id <= members_; ++id) {
    // On a connection to this node, what goes towards those that do not hear it is held too.
    uint64_t cut_to = 0;
    for (uint32_t other = 1; other <= members_; ++other) {
      if (nodes_[other - 1].cut_from >> id & 1) cut_to |= uint64_t{1} << other;
    }
    const Node& node = nodes_[id - 1];
    for (check::TcpProxy* const proxy : {node.client_proxy.get(), node.peer_proxy.get()}) {
      proxy->HoldFrom(node.cut_from);
      proxy->HoldTo(cut_to);
    }
  }
}

std::optional<uint32_t> ProcessCluster::WhoMade(const check::Ports& ports) const {
  // Most are a test's own.
  if (IsOwn(ports)) return 0;
  uint64_t inode = 0;
  // The tables are not read in one moment, and may lack what was there all the time.
  for (int attempt = 0; attempt < 5; ++attempt) {
    inode = InodeOfSocket(ports);
    const std::string socket = StrCat("socket:[", inode, "]");
    const std::lock_guard lock(pids_mutex_);
    for (const auto& [pid, node] : pids_) {
      if (HasSocket(std::to_string(pid), socket)) return node;
    }
  }
  if (inode == 0) return std::nullopt;
  return 0;  // a client that is a process of its own
}

uint64_t ProcessCluster::ResidentBytes(uint32_t node) const {
  CHECK(IsRunning(node)) << node;
  std::ifstream file(StrCat("/proc/", nodes_[node - 1].pid, "/statm"));
  uint64_t total_pages = 0;
  uint64_t resident_pages = 0;
  file >> total_pages >> resident_pages;
  CHECK(file.good()) << "no memory figures of node " << node;
  return resident_pages * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
}

uint64_t ProcessCluster::PeakBytes(uint32_t node) const {
  CHECK(IsRunning(node)) << node;
  std::ifstream file(StrCat("/proc/", nodes_[node - 1].pid, "/status"));
  std::string word;
  while (file >> word && word != "VmHWM:") continue;
  uint64_t kib = 0;
  file >> kib;
  CHECK(file.good()) << "no memory figures of node " << node;
  return kib << 10;
}

// ---- Clients and what they see ----

std::unique_ptr<rpc::Client> ProcessCluster::NewClient(Duration timeout) const {
  rpc::ClientOptions options{.timeout = timeout};
  for (uint32_t node = 1; node <= size(); ++node) options.endpoints.push_back(Endpoint(node));
  auto client = rpc::Client::Create(std::move(options));
  CHECK(client.ok()) << client.status();
  return *std::move(client);
}

std::unique_ptr<rpc::Client> ProcessCluster::NewClientOf(uint32_t node, Duration timeout) const {
  auto client = rpc::Client::Create({.endpoints = {Endpoint(node)}, .timeout = timeout});
  CHECK(client.ok()) << client.status();
  return *std::move(client);
}

uint32_t ProcessCluster::Leader() const {
  std::map<uint32_t, uint32_t> followers;
  std::set<uint32_t> leaders;
  const auto client = NewClient(Milliseconds(500));
  for (uint32_t node = 1; node <= size(); ++node) {
    if (!IsRunning(node)) continue;
    const auto status = client->NodeStatus(node - 1);
    if (!status.ok()) continue;
    ++followers[status->leader()];
    if (status->role() == "leader") leaders.insert(node);
  }
  for (const uint32_t leader : leaders) {
    if (followers[leader] > size() / 2) return leader;
  }
  return 0;
}

uint32_t ProcessCluster::AwaitLeader(uint32_t not_this) const {
  uint32_t leader = 0;
  CHECK(WaitFor([&] {
    leader = Leader();
    return leader != 0 && leader != not_this;
  })) << "no leader in time; the logs are in "
      << directory_;
  return leader;
}

v1::NodeStatusResponse ProcessCluster::StatusOf(uint32_t node) const {
  const auto client = NewClientOf(node);
  StatusOr<v1::NodeStatusResponse> status = client->NodeStatus(0);
  // The library asks once, and a machine may stand still.
  WaitFor([&] { return status.ok() || (status = client->NodeStatus(0)).ok(); });
  CHECK(status.ok()) << "node " << node << ": " << status.status();
  return *std::move(status);
}

bool ProcessCluster::AwaitAgreement() const {
  const auto client = NewClient(Seconds(1));
  return WaitFor([&] {
    std::set<std::pair<uint64_t, uint64_t>> states;
    for (uint32_t node = 1; node <= size(); ++node) {
      if (!IsRunning(node)) continue;
      const auto status = client->NodeStatus(node - 1);
      if (!status.ok()) return false;
      states.emplace(status->applied_index(), status->digest());
    }
    return states.size() == 1;
  });
}

}  // namespace decree::process
