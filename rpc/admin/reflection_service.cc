#include "rpc/admin/reflection_service.h"

#include <set>
#include <utility>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>

#include "grpc/reflection/v1alpha/reflection.pb.h"
#include "paxos/base/status.h"
#include "rpc/failure.h"
#include "rpc/loop/budget.h"
#include "rpc/loop/request_bytes.h"

namespace decree::rpc {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using google::protobuf::FileDescriptorProto;
using grpc::reflection::v1alpha::FileDescriptorResponse;
using Request = grpc::reflection::v1alpha::ServerReflectionRequest;
using Response = grpc::reflection::v1alpha::ServerReflectionResponse;

// No answer has more, as a test sees to.
constexpr size_t kAnswerBytes = 64 << 10;
// How long a question waits for the room of its answer.
constexpr Duration kRoomPatience = Seconds(5);

// With all that it imports; each once.
void AddFile(const FileDescriptor& file, std::set<const FileDescriptor*>& added, FileDescriptorResponse& response) {
  if (!added.insert(&file).second) return;
  FileDescriptorProto description;
  file.CopyTo(&description);
  response.add_file_descriptor_proto(description.SerializeAsString());
  for (int i = 0; i < file.dependency_count(); ++i) AddFile(*file.dependency(i), added, response);
}

// Null if there is none.
const FileDescriptor* FindFile(const Request& request) {
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case Request::kFileByFilename:
      return pool.FindFileByName(request.file_by_filename());
    case Request::kFileContainingSymbol:
      return pool.FindFileContainingSymbol(request.file_containing_symbol());
    default:
      return nullptr;
  }
}

Response AnswerTo(const Request& request, const std::vector<std::string>& services) {
  Response response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  if (request.has_list_services()) {
    for (const std::string& name : services) response.mutable_list_services_response()->add_service()->set_name(name);
    return response;
  }
  if (const FileDescriptor* const file = FindFile(request)) {
    std::set<const FileDescriptor*> added;
    AddFile(*file, added, *response.mutable_file_descriptor_response());
    return response;
  }
  response.mutable_error_response()->set_error_code(grpc::StatusCode::NOT_FOUND);
  response.mutable_error_response()->set_error_message("there is no such thing here");
  return response;
}

}  // namespace

// One who asks: a question at a time.
class ReflectionService::Stream final : public ServerCall::Handler, public std::enable_shared_from_this<Stream> {
 public:
  Stream(const ReflectionService& owner, std::unique_ptr<ServerCall> call) : owner_(owner), call_(std::move(call)) {}

  void Begin() {
    call_->Begin(shared_from_this());
    call_->Read();
  }

 private:
  Budget::Holder& taker() { return call_->connection()->answers(); }

  void OnMessage() override {
    call_->SetBusy(true);
    Request request;
    if (!call_->TakeRequest(request, kSmallRequestBytes)) {
      return call_->End(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT,
                                     UnreadableRequest(request.GetTypeName(), kSmallRequestBytes)));
    }
    taker().WhenRoom(
        owner_.loop_.Now() + kRoomPatience, [] { return Budget::SizeOf(kAnswerBytes); },
        [self = shared_from_this(), request](bool has_room) { self->Answer(request, has_room); });
  }
  void Answer(const Request& request, bool has_room) {
    if (call_->is_ending()) return;
    if (!has_room) {
      return call_->End(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, kNoRoomForAnswer));
    }
    room_ = taker().Charge(kAnswerBytes);
    call_->Write(AnswerTo(request, owner_.services_));
  }
  void OnWritten() override {
    room_ = {};
    call_->SetBusy(false);
    call_->Read();
  }
  void OnHalfClosed() override { call_->End(grpc::Status::OK); }
  void OnGone() override {}

  const ReflectionService& owner_;
  const std::unique_ptr<ServerCall> call_;
  Budget::Piece room_;  // of the answer that is being written
};

ReflectionService::ReflectionService(EventLoop& loop, Methods& methods, std::vector<std::string> services)
    : loop_(loop), services_(std::move(services)) {
  methods.Add("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
              [this](std::unique_ptr<ServerCall> call) { std::make_shared<Stream>(*this, std::move(call))->Begin(); });
}

}  // namespace decree::rpc
