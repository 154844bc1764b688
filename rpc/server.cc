#include "rpc/server.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <string>
#include <thread>
#include <utility>

#include <glog/logging.h>

#include "rpc/channel_arguments.h"
#include "rpc/data_directory.h"
#include "rpc/loop/held_writes.h"
#include "rpc/version.h"

namespace decree::rpc {
namespace {

// Without a request for so long, the log is idle: it syncs its watermark and prepares a segment.
constexpr Duration kIdleAfter = Milliseconds(50);
// What stopping may take: to hand leadership over and answer what is on its way; to close the ports;
// to see the last events come back.
constexpr Duration kDrainMax = Milliseconds(600);
constexpr Duration kShutdownMax = Milliseconds(200);
constexpr Duration kCloseMax = Milliseconds(700);

constexpr Duration kDirectoryCheckEvery = Seconds(1);

// What gRPC may hold for clients: connections, calls, and messages that have come in part, or wait to be let in.
constexpr size_t kClientMemoryMax = 112 << 20;

// A node has one call of each kind here, and for a moment two while it connects anew.
constexpr int kPeerCallsTold = 4;
constexpr Callers::Limits kPeerCalls{.calls = 256, .calls_held = 512, .calls_of_one = 16};

const std::vector<std::string> kClientServices = {"decree.v1.KV", "decree.v1.Admin", "grpc.health.v1.Health",
                                                  "grpc.reflection.v1alpha.ServerReflection"};

// What all other nodes may have under way here, and each a command more.
Admission::Limits ForwardedLimits(size_t others, size_t command_bytes_max) {
  const size_t bytes =
      Forwarder::kSentBytesMax + Admission::BytesOf(command_bytes_max) + Forwarder::kSentMax * Admission::BytesOf(0);
  return {.requests_max = others * Forwarder::kSentMax, .bytes_max = others * bytes};
}

}  // namespace

struct Server::Recovered {
  paxos::PosixFileSystem files;
  std::unique_ptr<paxos::SegmentLog> log;
  std::unique_ptr<kv::Store> store;
  std::unique_ptr<kv::StateMachine> machine;
};

// ---- Starting ----

StatusOr<std::unique_ptr<Server>> Server::Start(const ServerOptions& options) {
  ASSIGN_OR_RETURN(const FileShares files,
                   ShareFiles(RaiseFileLimit(), options.store.open_files_max, options.connections_max));
  kv::StoreOptions store_options = options.store;
  store_options.open_files_max = files.store;
  auto recovered = std::make_unique<Recovered>();
  ASSIGN_OR_RETURN(recovered->log, OpenDataDirectory(options, recovered->files));
  ASSIGN_OR_RETURN(recovered->store, kv::Store::Open(StorePath(options.data), recovered->files, store_options));
  const paxos::LogIdentity& identity = recovered->log->identity();
  ASSIGN_OR_RETURN(recovered->machine,
                   kv::StateMachine::Open(*recovered->store, paxos::EncodeOwner(identity), options.memory));
  const paxos::Member* const member = identity.founding.Find(identity.node);
  CHECK(member != nullptr) << "the directory's configuration does not name its node";
  const PeerIdentity own = MakePeerIdentity(identity, paxos::Life(RandomNumber()));
  std::unique_ptr<Server> server(new Server(options, files, std::move(recovered), own, *member));
  RETURN_IF_ERROR(server->TakePorts());
  RETURN_IF_ERROR(server->StartNode());
  server->OpenServices();
  LOG(INFO) << "n" << identity.node << " of cluster '" << identity.cluster
            << "' serves: clients=" << server->client_port_.address() << " peers=" << server->peer_port_.address()
            << " chosen_index=" << server->node_->replica().chosen_index() << " version=" << kVersion
            << " files_max=" << files.limit << " connections_max=" << files.clients;
  return server;
}

Server::Server(const ServerOptions& options, const FileShares& files, std::unique_ptr<Recovered> recovered,
               const PeerIdentity& own, const paxos::Member& member)
    : options_(options),
      recovered_(std::move(recovered)),
      own_(own),
      loop_(clock_),
      answers_(loop_, {}),
      peer_answers_(loop_, PeerService::kAnswerLimits),
      client_port_(loop_, answers_,
                   {.address = options.listen_client.empty() ? member.client_address : options.listen_client,
                    .purpose = StrCat("this port is for clients; other nodes call ", member.peer_address),
                    .connections = {.all = files.clients, .of_a_client = options.client_connections_max},
                    .message_bytes_max = kClientMessageBytesMax,
                    .memory_max = kClientMemoryMax}),
      peer_port_(loop_, peer_answers_,
                 {.address = options.listen_peer.empty() ? member.peer_address : options.listen_peer,
                  .purpose = StrCat("this port is for other nodes; clients call ", member.client_address),
                  .connections = {.all = files.peers, .of_a_client = files.peers, .trusts_used = true},
                  .calls = kPeerCalls,
                  .calls_told = kPeerCallsTold,
                  .reads = PacedReads::Pace::kByThePiece,
                  .message_bytes_max = kMessageBytesMax}),
      peers_in_(loop_, own_, peer_answers_),
      peers_out_(loop_, own_, PeerLinkOptions()),
      forwarder_(loop_, own_, PeerLinkOptions()),
      admission_(loop_, options.AdmissionLimits()),
      forwarded_(loop_, ForwardedLimits(recovered_->log->identity().founding.members.size() - 1,
                                        options.core.command_bytes_max)),
      directory_(options.data),
      directory_timer_(loop_.timers(), [this] { CheckDirectory(); }),
      memory_(options.MemoryMax(), MemoryActions()),
      stop_wakeup_(loop_, [this] { is_stopping_ = true; }) {}

Server::~Server() {
  // The queue must also be drained after a start that failed half-way.
  if (client_port_.is_serving() && !is_closed_) Close();
}

Status Server::TakePorts() {
  RETURN_IF_ERROR(client_port_.Bind());
  RETURN_IF_ERROR(peer_port_.Bind());
  RETURN_IF_ERROR(client_port_.Serve());
  return peer_port_.Serve();
}

Status Server::StartNode() {
  paxos::Options core = options_.core;
  core.pending_bytes_max += forwarded_.limits().bytes_max;
  ASSIGN_OR_RETURN(node_, paxos::Node::Start(core, *recovered_->log, *recovered_->machine, peers_out_, clock_,
                                             own_.self.life, RandomNumber()));
  node_->BeforeLogWrite(PushHeldWrites);
  return OkStatus();
}

void Server::OpenServices() {
  Methods& methods = client_port_.methods();
  kv_ = std::make_unique<KvService>(
      loop_, methods, *node_, *recovered_->machine, forwarder_,
      KvService::Bounds{.admission = admission_, .forwarded = forwarded_, .answers = answers_});
  status_ = std::make_unique<NodeStatusReport>(
      NodeStatusReport::Sources{.clock = clock_,
                                .node = *node_,
                                .log = *recovered_->log,
                                .machine = *recovered_->machine,
                                .data = options_.data,
                                .is_lease_used = options_.core.uses_lease,
                                .peers_connected = [this] { return peers_out_.connected(); },
                                .stale_reads = [this] { return kv_->stale_reads(); },
                                .fill_clients = [this](v1::NodeStatusResponse& status) { FillClients(status); },
                                .problems = [this] { return Problems(); }});
  admin_ = std::make_unique<AdminService>(loop_, methods, *node_, *status_);
  health_ = std::make_unique<HealthService>(methods);
  reflection_ = std::make_unique<ReflectionService>(loop_, methods, kClientServices);
  peers_in_.Open(
      peer_port_.methods(), node_->replica(), [this](const paxos::Envelope& envelope) { node_->OnMessage(envelope); },
      [this](PeerService::ForwardedCall call) { kv_->OnForwarded(std::move(call)); });
  peers_out_.Open(node_->replica());
  forwarder_.Open(node_->replica());
  client_port_.Open();
  peer_port_.Open();
  CheckDirectory();
}

void Server::CheckDirectory() {
  const Status status = directory_.Check();
  LOG_IF(FATAL, !status.ok()) << status.message() << ". The process ends";
  directory_timer_.Set(loop_.Now() + kDirectoryCheckEvery);
}

// ---- Running ----

void Server::Run() {
  while (!is_stopping_) Step(kTimeNever);
  LOG(INFO) << "n" << own_.self.node << " stops";
  Drain();
  Close();
}

void Server::Step(Time until) {
  until = std::min({until, node_->NextDeadline(), loop_.timers().NextDeadline()});
  const bool has_idle_work = recovered_->log->HasIdleWork();
  if (has_idle_work) until = std::min(until, loop_.Now() + kIdleAfter);
  const size_t events = loop_.Poll(until);
  memory_.Look(loop_.RoughlyNow());
  loop_.timers().RunDue(loop_.Now());
  kv_->BeforeTurn();
  PushHeldWrites();
  peers_in_.Flush();
  node_->Turn();
  NoteProblems();
  peers_in_.Flush();
  peers_in_.ReadOn();
  kv_->AfterTurn();
  admin_->AfterTurn();
  if (events == 0 && has_idle_work) recovered_->log->OnIdle();
}

void Server::NoteProblems() {
  for (const std::string& problem : node_->TakeProblems()) {
    // A faulty peer may cause problems fast, each with another text.
    if (!problems_.Note(problem, loop_.Now())) continue;
    LOG_EVERY_T(ERROR, 1) << problem;
  }
  if (node_->replica().is_halted()) health_->SetNotServing();
}

MemoryGuard::Actions Server::MemoryActions() {
  using Which = Connections::Which;
  return {
      .reset_idle =
          [this] {
            client_port_.Reset(Which::kIdle);
            peer_port_.Reset(Which::kIdle);
          },
      .reset_all = [this] { client_port_.Reset(Which::kAll); },
      .note = [this](const std::string& problem) { LOG_IF(WARNING, problems_.Note(problem, loop_.Now())) << problem; }};
}

void Server::FillClients(v1::NodeStatusResponse& status) {
  const Port::Usage usage = client_port_.CountUsage();
  status.set_client_connections(usage.connections);
  status.set_client_connections_max(usage.connections_max);
  status.set_client_calls(usage.calls);
  status.set_client_calls_max(usage.calls_max);
}

std::vector<std::string> Server::Problems() const {
  std::vector<std::string> problems = problems_.Recent(loop_.Now());
  for (const auto& others :
       {peers_out_.Problems(), peers_in_.Problems(), client_port_.Problems(), peer_port_.Problems()}) {
    problems.insert(problems.end(), others.begin(), others.end());
  }
  return problems;
}

// ---- Stopping ----

void Server::Drain() {
  const Time end = loop_.Now() + kDrainMax;
  health_->SetNotServing();
  // Until it is known who leads next, requests wait here; then they are forwarded.
  const bool led = node_->TransferLeadership() == paxos::TransferResult::kBegun;
  const auto is_handing_over = [&] {
    const paxos::NodeId leader = node_->replica().leader();
    return led && (leader == paxos::kNoNode || leader == own_.self.node);
  };
  while (is_handing_over() && loop_.Now() < end) Step(end);
  kv_->Close();
  const auto is_serving = [&] {
    return admission_.requests() + admission_.waiting() + forwarded_.requests() > 0 || kv_->has_unserved();
  };
  while (is_serving() && loop_.Now() < end) Step(end);
}

void Server::Close() {
  is_closed_ = true;
  client_port_.StopListening();
  peer_port_.StopListening();
  peers_out_.Close();
  forwarder_.Close();
  answers_.Close();
  peer_answers_.Close();
  std::atomic<bool> is_shut_down{false};
  std::thread shutdown([&] {
    const auto until = std::chrono::system_clock::now() + kShutdownMax;
    client_port_.Shutdown(until);
    peer_port_.Shutdown(until);
    is_shut_down = true;
  });
  const Time end = loop_.Now() + kCloseMax;
  while (loop_.Now() < end && (!is_shut_down || loop_.pending() > 0)) {
    loop_.Poll(loop_.Now() + Milliseconds(5));
    loop_.timers().RunDue(loop_.Now());
    peers_in_.Flush();
    peers_in_.ReadOn();
    if (kv_ != nullptr) kv_->BeforeTurn();
  }
  shutdown.join();
  // Everything acknowledged is in the log, so cutting off the rest loses nothing.
  if (loop_.pending() > 0) {
    LOG(WARNING) << loop_.pending() << " operations did not end in time and are cut off";
    google::FlushLogFiles(google::INFO);
    _exit(0);
  }
}

}  // namespace decree::rpc
