// What generic gRPC tools ask of any server: health, and reflection.

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::HasSubstr;

class StandardServicesTest : public testing::Test {
 protected:
  StandardServicesTest()
      : channel_(grpc::CreateChannel(cluster_.Endpoint(1), grpc::InsecureChannelCredentials())) {
    cluster_.AwaitLeader();
  }

  ProcessCluster cluster_{3};
  const std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(StandardServicesTest, HealthIsServing) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  const auto check = [&](const std::string& service, HealthCheckResponse& response) {
    grpc::ClientContext context;
    HealthCheckRequest request;
    request.set_service(service);
    return health->Check(&context, request, &response).error_code();
  };
  for (const char* const service : {"", "decree.v1.KV"}) {
    HealthCheckResponse response;
    EXPECT_EQ(check(service, response), grpc::StatusCode::OK) << service;
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING) << service;
  }
  HealthCheckResponse response;
  EXPECT_EQ(check("no.such.Service", response), grpc::StatusCode::NOT_FOUND);
}

TEST_F(StandardServicesTest, ReflectionListsTheServices) {
  // ServerReflectionRequest { list_services: "*" }, in the wire format.
  const grpc::Slice bytes("\x3a\x01*");
  grpc::GenericStub stub(channel_);
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(10));
  grpc::CompletionQueue queue;
  const auto await = [&queue] {
    void* tag = nullptr;
    bool ok = false;
    return queue.Next(&tag, &ok) && ok;
  };
  const auto stream = stub.PrepareCall(
      &context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  stream->StartCall(nullptr);
  ASSERT_TRUE(await());
  stream->Write(grpc::ByteBuffer(&bytes, 1), nullptr);
  ASSERT_TRUE(await());
  grpc::ByteBuffer answer;
  stream->Read(&answer, nullptr);
  ASSERT_TRUE(await());
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(answer.Dump(&slices).ok());
  std::string text;
  for (const grpc::Slice& slice : slices) {
    text.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  EXPECT_THAT(text, HasSubstr("decree.v1.KV"));
  EXPECT_THAT(text, HasSubstr("decree.v1.Admin"));
  context.TryCancel();
  grpc::Status status;
  stream->Finish(&status, nullptr);
  static_cast<void>(await());
}

}  // namespace
}  // namespace decree::process
