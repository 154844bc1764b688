// Connections to a node: clients that open connections and leave them keep nobody out, nor does the node run
// out of files for them; clients and other nodes call at a port each.

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "decree/v1/kv.grpc.pb.h"
#include "decree/v1/peer.grpc.pb.h"
#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using testing::Contains;
using testing::HasSubstr;

uint16_t PortOf(const std::string& address) {
  return static_cast<uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

// Connections that say nothing.
class SilentConnections {
 public:
  SilentConnections(const std::string& address, size_t count) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(PortOf(address));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (size_t i = 0; i < count; ++i) {
      const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      EXPECT_GE(fd, 0);
      EXPECT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
      fds_.push_back(fd);
    }
  }
  SilentConnections(SilentConnections&& other) noexcept : fds_(std::exchange(other.fds_, {})) {}
  ~SilentConnections() {
    for (const int fd : fds_) close(fd);
  }

  size_t size() const { return fds_.size(); }
  size_t CountClosed() const {
    return static_cast<size_t>(std::count_if(fds_.begin(), fds_.end(), [](int fd) {
      char byte = 0;
      ssize_t got = 0;
      while ((got = recv(fd, &byte, 1, MSG_DONTWAIT)) > 0) continue;
      return got == 0 || errno != EAGAIN;
    }));
  }

 private:
  std::vector<int> fds_;
};

class ConnectionsTest : public testing::Test {
 protected:
  ConnectionsTest() {
    rlimit files{};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max;
    setrlimit(RLIMIT_NOFILE, &files);
  }
  // All nodes, each with so many files.
  void RestartWith(uint64_t files_max) {
    cluster_.KillAll();
    cluster_.LimitFiles(files_max);
    for (uint32_t node = 1; node <= cluster_.size(); ++node) cluster_.Start(node);
    cluster_.AwaitLeader();
  }
  std::vector<std::string> ProblemsOf(uint32_t node) const {
    const v1::NodeStatusResponse status = cluster_.StatusOf(node);
    return {status.problems().begin(), status.problems().end()};
  }

  ProcessCluster cluster_{3};
};

TEST_F(ConnectionsTest, ThatAreLeftIdleKeepNobodyOut) {
  RestartWith(1024);
  const auto known = cluster_.NewClient();
  ASSERT_TRUE(known->Put("key", "1").ok());
  std::vector<SilentConnections> silent;
  for (uint32_t node = 1; node <= 3; ++node) silent.emplace_back(cluster_.Endpoint(node), 1100);
  for (int i = 0; i < 10; ++i) {
    const auto put = known->Put("key", "2");
    EXPECT_TRUE(put.ok()) << put.status();
    const auto fresh = cluster_.NewClient()->Get("key");
    EXPECT_TRUE(fresh.ok()) << fresh.status();
  }
  for (uint32_t node = 1; node <= 3; ++node) {
    EXPECT_THAT(ProblemsOf(node), Contains(HasSubstr("make room for others"))) << node;
    EXPECT_EQ(cluster_.StatusOf(node).peers_connected(), 2u);
  }
}

// The status tells how many there are; those that say nothing end by themselves, here and at the nodes' port.
TEST_F(ConnectionsTest, ThatSayNothingAreClosed) {
  const uint32_t node = cluster_.AwaitLeader();
  std::vector<SilentConnections> silent;
  silent.emplace_back(cluster_.Endpoint(node), 50);
  silent.emplace_back(cluster_.PeerAddress(node), 20);
  const v1::NodeStatusResponse status = cluster_.StatusOf(node);
  EXPECT_GE(status.client_connections(), 51u);
  EXPECT_LT(status.client_connections(), status.client_connections_max());
  EXPECT_GE(status.client_calls(), 1u);
  EXPECT_LT(status.client_calls(), status.client_calls_max());
  for (const SilentConnections& at_port : silent) {
    EXPECT_TRUE(WaitFor([&] { return at_port.CountClosed() == at_port.size(); }, Seconds(30)));
  }
  EXPECT_LT(cluster_.StatusOf(node).client_connections(), 51u);
}

TEST_F(ConnectionsTest, TooFewFilesAreSaidAtTheStart) {
  cluster_.Kill(1);
  cluster_.LimitFiles(120);
  cluster_.Start(1);
  EXPECT_EQ(cluster_.Wait(1), 1);
  EXPECT_THAT(cluster_.Log(1), HasSubstr("may have only 120 files open"));
}

// A caller at the nodes' port that does not greet makes room for a node.
TEST_F(ConnectionsTest, ThatDoNotGreetKeepNoPeerOut) {
  const uint32_t leader = cluster_.AwaitLeader();
  const uint32_t other = leader % 3 + 1;
  std::vector<std::unique_ptr<v1::Peer::Stub>> stubs;
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientReaderWriter<v1::PeerFrame, v1::PeerReply>>> streams;
  const auto open = [&](size_t count) {
    for (size_t i = 0; i < count; ++i) {
      grpc::ChannelArguments own;
      own.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
      stubs.push_back(v1::Peer::NewStub(
          grpc::CreateCustomChannel(cluster_.PeerAddress(leader), grpc::InsecureChannelCredentials(), own)));
      contexts.push_back(std::make_unique<grpc::ClientContext>());
      streams.push_back(stubs.back()->Exchange(contexts.back().get()));
    }
  };
  const SilentConnections silent(cluster_.PeerAddress(leader), 200);
  open(300);
  cluster_.Kill(other);
  cluster_.Start(other);
  open(100);
  EXPECT_TRUE(WaitFor([&] {
    return cluster_.StatusOf(other).peers_connected() == 2 && cluster_.StatusOf(leader).peers_connected() == 2;
  }));
  // With these two alone.
  cluster_.Kill(6 - leader - other);
  const auto put = cluster_.NewClientOf(leader)->Put("key", "value");
  EXPECT_TRUE(put.ok()) << put.status();
  for (const auto& context : contexts) context->TryCancel();
  streams.clear();
}

// Many by one connection, again and again.
TEST_F(ConnectionsTest, StreamsThatDoNotGreetKeepNoPeerOut) {
  const uint32_t leader = cluster_.AwaitLeader();
  const uint32_t other = leader % 3 + 1;
  const auto stub =
      v1::Peer::NewStub(grpc::CreateChannel(cluster_.PeerAddress(leader), grpc::InsecureChannelCredentials()));
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<grpc::ClientAsyncReaderWriter<v1::PeerFrame, v1::PeerReply>>> streams;
  grpc::CompletionQueue queue;
  for (int i = 0; i < 300; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    streams.push_back(stub->AsyncExchange(contexts.back().get(), &queue, nullptr));
  }
  cluster_.Kill(other);
  cluster_.Start(other);
  EXPECT_TRUE(WaitFor([&] { return cluster_.StatusOf(leader).peers_connected() == 2; }, Seconds(4)));
  EXPECT_TRUE(WaitFor([&] { return cluster_.StatusOf(other).peers_connected() == 2; }, Seconds(4)));
  for (const auto& context : contexts) context->TryCancel();
  queue.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue.Next(&tag, &ok)) continue;
}

TEST_F(ConnectionsTest, ToTheWrongPortAreToldTheRightOne) {
  cluster_.AwaitLeader();
  grpc::ClientContext as_client;
  as_client.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  v1::GetResponse response;
  const auto to_peers = grpc::CreateChannel(cluster_.PeerAddress(1), grpc::InsecureChannelCredentials());
  const grpc::Status get = v1::KV::NewStub(to_peers)->Get(&as_client, {}, &response);
  EXPECT_EQ(get.error_code(), grpc::StatusCode::UNIMPLEMENTED) << get.error_message();
  EXPECT_THAT(get.error_message(), HasSubstr("clients call " + cluster_.Endpoint(1)));

  grpc::ClientContext as_peer;
  as_peer.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(5));
  const auto to_clients = grpc::CreateChannel(cluster_.Endpoint(1), grpc::InsecureChannelCredentials());
  const grpc::Status exchange = v1::Peer::NewStub(to_clients)->Exchange(&as_peer)->Finish();
  EXPECT_EQ(exchange.error_code(), grpc::StatusCode::UNIMPLEMENTED) << exchange.error_message();
  EXPECT_THAT(exchange.error_message(), HasSubstr("nodes call " + cluster_.PeerAddress(1)));
}

}  // namespace
}  // namespace decree::process
