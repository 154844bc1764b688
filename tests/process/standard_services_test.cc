// What generic gRPC tools ask of any server: health, and reflection.

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include "grpc/health/v1/health.grpc.pb.h"
#include "grpc/reflection/v1alpha/reflection.grpc.pb.h"
#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using grpc::reflection::v1alpha::ServerReflection;
using grpc::reflection::v1alpha::ServerReflectionRequest;
using grpc::reflection::v1alpha::ServerReflectionResponse;
using testing::UnorderedElementsAre;

class StandardServicesTest : public testing::Test {
 protected:
  StandardServicesTest() : channel_(grpc::CreateChannel(cluster_.Endpoint(1), grpc::InsecureChannelCredentials())) {
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

// A watcher is told at once, and again when the status changes; one that goes leaves nothing behind.
TEST_F(StandardServicesTest, HealthIsWatched) {
  const auto health = grpc::health::v1::Health::NewStub(channel_);
  HealthCheckRequest request;
  for (const auto& [service, status] : {std::pair("decree.v1.KV", HealthCheckResponse::SERVING),
                                        std::pair("no.such.Service", HealthCheckResponse::SERVICE_UNKNOWN)}) {
    grpc::ClientContext context;
    request.set_service(service);
    const auto watch = health->Watch(&context, request);
    HealthCheckResponse response;
    ASSERT_TRUE(watch->Read(&response)) << service;
    EXPECT_EQ(response.status(), status) << service;
    context.TryCancel();
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  grpc::ClientContext context;
  request.clear_service();
  const auto watch = health->Watch(&context, request);
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  cluster_.Signal(1, SIGTERM);
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_EQ(cluster_.Wait(1), 0);
}

class ReflectionTest : public StandardServicesTest {
 protected:
  ReflectionTest() : stub_(ServerReflection::NewStub(channel_)) {
    context_.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    stream_ = stub_->ServerReflectionInfo(&context_);
  }
  ServerReflectionResponse Ask(const std::function<void(ServerReflectionRequest&)>& fill) {
    ServerReflectionRequest request;
    request.set_host("host");
    fill(request);
    ServerReflectionResponse response;
    EXPECT_TRUE(stream_->Write(request));
    EXPECT_TRUE(stream_->Read(&response));
    EXPECT_EQ(response.original_request().SerializeAsString(), request.SerializeAsString());
    EXPECT_EQ(response.valid_host(), "host");
    return response;
  }

  const std::unique_ptr<ServerReflection::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<ServerReflectionRequest, ServerReflectionResponse>> stream_;
};

TEST_F(ReflectionTest, ListsTheServices) {
  const ServerReflectionResponse response = Ask([](auto& request) { request.set_list_services("*"); });
  std::vector<std::string> names;
  for (const auto& service : response.list_services_response().service()) names.push_back(service.name());
  EXPECT_THAT(names, UnorderedElementsAre("decree.v1.KV", "decree.v1.Admin", "grpc.health.v1.Health",
                                          "grpc.reflection.v1alpha.ServerReflection"));
}

// With what it answers a tool can build every message of a service.
TEST_F(ReflectionTest, TellsAllThatAServiceIsMadeOf) {
  for (const std::string service :
       {"decree.v1.KV", "decree.v1.Admin", "grpc.health.v1.Health", "grpc.reflection.v1alpha.ServerReflection"}) {
    const ServerReflectionResponse response = Ask([&](auto& request) { request.set_file_containing_symbol(service); });
    // It answers up to 64 KiB.
    EXPECT_LT(response.ByteSizeLong(), 64u << 10);
    google::protobuf::DescriptorPool pool;
    const auto& files = response.file_descriptor_response().file_descriptor_proto();
    for (int i = files.size() - 1; i >= 0; --i) {
      google::protobuf::FileDescriptorProto file;
      ASSERT_TRUE(file.ParseFromString(files[i]));
      ASSERT_NE(pool.BuildFile(file), nullptr) << file.name();
    }
    EXPECT_NE(pool.FindServiceByName(service), nullptr) << service;
  }
  EXPECT_TRUE(
      Ask([](auto& request) { request.set_file_by_filename("decree/v1/kv.proto"); }).has_file_descriptor_response());
}

TEST_F(ReflectionTest, WhatIsNotThereIsNotFound) {
  for (const auto& fill : std::vector<std::function<void(ServerReflectionRequest&)>>{
           [](auto& request) { request.set_file_by_filename("no/such.proto"); },
           [](auto& request) { request.set_file_containing_symbol("no.such.Symbol"); },
           [](auto& request) { request.set_all_extension_numbers_of_type("decree.v1.GetRequest"); }, [](auto&) {}}) {
    EXPECT_EQ(Ask(fill).error_response().error_code(), grpc::StatusCode::NOT_FOUND);
  }
}

TEST_F(ReflectionTest, ALongQuestionEndsTheStream) {
  ServerReflectionRequest request;
  request.set_file_by_filename(std::string(100'000, 'x'));
  ASSERT_TRUE(stream_->Write(request));
  ServerReflectionResponse response;
  EXPECT_FALSE(stream_->Read(&response));
  EXPECT_EQ(stream_->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace decree::process
