#include "rpc/port/port.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "decree/v1/kv.grpc.pb.h"
#include "paxos/base/posix_clock.h"
#include "rpc/channel_arguments.h"

namespace decree::rpc {
namespace {

class Flag final : public Event {
 public:
  bool is_set() const { return is_set_; }

 private:
  void OnEvent(bool) override { is_set_ = true; }
  bool is_set_ = false;
};

class PortTest : public testing::TestWithParam<std::string> {
 protected:
  ~PortTest() override {
    port_->StopListening();
    port_->Shutdown(std::chrono::system_clock::now());
    while (loop_.pending() > 0) Turn();
  }

  // False if this machine has no such address.
  bool Open(const std::string& address) {
    port_ = std::make_unique<Port>(loop_, Port::Options{.address = address, .message_bytes_max = kMessageBytesMax});
    if (!port_->Bind().ok()) return false;
    EXPECT_TRUE(port_->Serve({&service_}).ok());
    port_->Open();
    return true;
  }
  void Turn() { loop_.Poll(loop_.Now() + Milliseconds(1)); }
  void Await(const Flag& flag) {
    while (!flag.is_set()) Turn();
  }

  const PosixClock clock_;
  EventLoop loop_{clock_};
  v1::KV::AsyncService service_;
  std::unique_ptr<Port> port_;
};

// What the listener calls a connection is what gRPC calls it.
TEST_P(PortTest, AConnectionIsEndedByTheNameThatItsCallsHave) {
  if (!Open(GetParam())) GTEST_SKIP() << "there is no " << GetParam() << " here";
  const std::string host = GetParam().substr(0, GetParam().rfind(':'));
  const auto stub = v1::KV::NewStub(
      grpc::CreateChannel(StrCat(host, ":", port_->number()), grpc::InsecureChannelCredentials()));
  grpc::ServerContext context;
  grpc::ServerAsyncReaderWriter<v1::ResponseBatch, v1::RequestBatch> stream(&context);
  Flag has_come;
  service_.RequestPipeline(&context, &stream, loop_.queue(), loop_.queue(), loop_.Tag(has_come));
  grpc::ClientContext client_context;
  Flag has_begun;
  const auto client = stub->AsyncPipeline(&client_context, loop_.queue(), loop_.Tag(has_begun));
  Await(has_come);
  Await(has_begun);

  port_->Disconnect(context.peer());
  Flag ended;
  grpc::Status status;
  client->Finish(&status, loop_.Tag(ended));
  Await(ended);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE) << status.error_message();
  Flag finished;
  stream.Finish(grpc::Status::OK, loop_.Tag(finished));
  Await(finished);
}

INSTANTIATE_TEST_SUITE_P(Addresses, PortTest, testing::Values("127.0.0.1:0", "[::1]:0"));

// The loop has seen its end whatever came last, and when.
TEST(ListenerTest, EndsWhileCallersCome) {
  const PosixClock clock;
  EventLoop loop(clock);
  for (int i = 0; i < 100; ++i) {
    Listener listener(loop);
    ASSERT_TRUE(listener.Bind("127.0.0.1:0").ok());
    size_t came = 0;
    listener.Open({.on_caller =
                       [&came](const Listener::Caller& caller) {
                         ++came;
                         close(caller.fd);
                       },
                   .on_trouble = [](const std::string& text) { ADD_FAILURE() << text; }});
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(listener.port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)), 0);
    // Before it was handed over, and after.
    while (i % 2 == 0 && came == 0) loop.Poll(clock.Now() + Milliseconds(10));
    listener.Close();
    const Time limit = clock.Now() + Seconds(5);
    while (loop.pending() > 0 && clock.Now() < limit) loop.Poll(clock.Now() + Milliseconds(10));
    ASSERT_EQ(loop.pending(), 0u) << i;
    close(fd);
  }
}

TEST(ListenerTest, AnAddressThatCannotBeTakenIsNamed) {
  const PosixClock clock;
  EventLoop loop(clock);
  Listener first(loop);
  ASSERT_TRUE(first.Bind("127.0.0.1:0").ok());
  for (const std::string& address : {StrCat("127.0.0.1:", first.port()), std::string("192.0.2.1:1234"),
                                     std::string("no.such.host.invalid:1"), std::string("127.0.0.1"), std::string("[::1:2")}) {
    Listener second(loop);
    const Status status = second.Bind(address);
    ASSERT_FALSE(status.ok()) << address;
    EXPECT_NE(status.message().find(address), std::string::npos) << status;
  }
}

}  // namespace
}  // namespace decree::rpc
