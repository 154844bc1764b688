#include "rpc/cli/commands.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <deque>
#include <future>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"

#include "rpc/cli/line_format.h"

namespace decree::rpc::cli {
namespace {

using nlohmann::json;

bool IsUtf8(const std::string& bytes) {
  try {
    static_cast<void>(json(bytes).dump());
    return true;
  } catch (const json::type_error&) {
    return false;
  }
}

// Bytes under `name` if JSON can hold them, else as base64 under name_base64.
void SetBytes(json& object, const std::string& name, const std::string& bytes) {
  if (IsUtf8(bytes)) {
    object[name] = bytes;
  } else {
    object[name + "_base64"] = absl::Base64Escape(bytes);
  }
}

json ToJson(const v1::ResponseHeader& header) {
  return {{"node", header.node()}, {"revision", header.revision()}, {"store_epoch", header.store_epoch()}};
}

json ToJson(const v1::KeyValue& kv) {
  json object{
      {"create_revision", kv.create_revision()}, {"mod_revision", kv.mod_revision()}, {"version", kv.version()}};
  SetBytes(object, "key", kv.key());
  SetBytes(object, "value", kv.value());
  return object;
}

void Print(const json& object) { std::cout << object.dump() << '\n'; }

// Exactly these bytes; on a terminal a line end follows, so that the prompt stands apart.
void PrintValue(const std::string& value) {
  std::cout.write(value.data(), static_cast<std::streamsize>(value.size()));
  if (isatty(STDOUT_FILENO) != 0) std::cout << '\n';
}

const char* NameOf(v1::ReadMode read) { return read == v1::READ_MODE_STALE ? "stale" : "linearizable"; }

std::future<StatusOr<v1::GetResponse>> StartGet(Client& client, const std::string& key, v1::ReadMode read) {
  auto promise = std::make_shared<std::promise<StatusOr<v1::GetResponse>>>();
  v1::GetRequest request;
  request.set_key(key);
  request.set_read(read);
  client.Get(std::move(request),
             [promise](StatusOr<v1::GetResponse> response) { promise->set_value(std::move(response)); });
  return promise->get_future();
}

void PrintGet(const Output& output, const std::string& key, const v1::GetResponse& response, bool as_line) {
  if (output.json) {
    json object = ToJson(response.header());
    object["read"] = NameOf(response.read());
    object["found"] = response.found();
    if (response.found()) object["kv"] = ToJson(response.kv());
    Print(object);
  } else if (!response.found()) {
    std::cerr << "decree: no such key" << (as_line ? ": " + Escape(key) : "") << '\n';
  } else if (as_line) {
    std::cout << MakeLine(key, response.kv().value()) << '\n';
  } else {
    PrintValue(response.kv().value());
  }
}

struct StateText {
  const char* name;
  const char* what;
};

StateText TextOf(v1::OutcomeResponse::State state) {
  using Response = v1::OutcomeResponse;
  switch (state) {
    case Response::STATE_NOT_YET:
      return {"not_yet", "not carried out so far; a copy may still be under way (--settle settles it)"};
    case Response::STATE_ANSWERED:
      return {"answered", "carried out"};
    case Response::STATE_REFUSED:
      return {"refused", "refused, and not carried out: "};
    case Response::STATE_SETTLED:
      return {"settled", "never was and never will be carried out"};
    case Response::STATE_FORGOTTEN:
      return {"forgotten", "forgotten: its client had the answer, or gave it up and went on"};
    default:
      return {"unknown", "in a state that this program does not know; run the cluster's version"};
  }
}

}  // namespace

StatusOr<std::string> ReadValue(const std::string& argument) {
  if (argument != "-") return argument;
  std::string value(std::istreambuf_iterator<char>(std::cin), {});
  RETURN_IF_ERROR(CheckStandardInput());
  return value;
}

// std::cin cannot tell this from its end.
decree::Status CheckStandardInput() {
  return std::ferror(stdin) == 0 ? OkStatus() : absl::UnavailableError("standard input cannot be read");
}

int Fail(const Output& output, const decree::Status& status) {
  const v1::ErrorDetail detail = ErrorDetailOf(status);
  if (output.json) {
    json object{{"error", std::string(status.message())},
                {"code", absl::StatusCodeToString(status.code())},
                {"may_have_happened", MayHaveHappened(status)},
                {"safe_to_retry", detail.safe_to_retry()}};
    if (detail.leader() != 0) object["leader"] = detail.leader();
    if (detail.retry_after_ms() != 0) object["retry_after_ms"] = detail.retry_after_ms();
    if (detail.number() != 0) object["session"] = detail.session();
    if (detail.number() != 0) object["number"] = detail.number();
    std::cerr << object.dump() << '\n';
  } else {
    std::cerr << "decree: " << status.message() << '\n';
    if (detail.number() != 0) {
      std::cerr << "decree: to learn what became of it: decree outcome " << detail.session() << ' ' << detail.number()
                << '\n';
    }
  }
  return kFailed;
}

int Put(Client& client, const Output& output, const std::string& key, std::string value) {
  const StatusOr<v1::PutResponse> response = client.Put(key, std::move(value));
  if (!response.ok()) return Fail(output, response.status());
  if (output.json) {
    json object = ToJson(response->header());
    object["version"] = response->version();
    Print(object);
  } else {
    std::cout << "revision " << response->header().revision() << ", version " << response->version() << '\n';
  }
  return kDone;
}

int Get(Client& client, const Output& output, const std::vector<std::string>& keys, v1::ReadMode read) {
  constexpr size_t kInFlightMax = 256;
  std::deque<std::future<StatusOr<v1::GetResponse>>> in_flight;
  int code = kDone;
  size_t started = 0;
  for (size_t next = 0; next < keys.size(); ++next) {
    for (; started < keys.size() && in_flight.size() < kInFlightMax; ++started) {
      in_flight.push_back(StartGet(client, keys[started], read));
    }
    const StatusOr<v1::GetResponse> response = in_flight.front().get();
    in_flight.pop_front();
    if (!response.ok()) return Fail(output, response.status());
    if (!response->found()) code = kNoSuchKey;
    PrintGet(output, keys[next], *response, keys.size() > 1);
  }
  return code;
}

int Delete(Client& client, const Output& output, const std::string& key) {
  const StatusOr<v1::DeleteResponse> response = client.Delete(key);
  if (!response.ok()) return Fail(output, response.status());
  if (output.json) {
    json object = ToJson(response->header());
    object["deleted"] = response->deleted();
    Print(object);
  } else if (response->deleted()) {
    std::cout << "deleted at revision " << response->header().revision() << '\n';
  } else {
    std::cerr << "decree: no such key\n";
  }
  return response->deleted() ? kDone : kNoSuchKey;
}

int CompareAndSwap(Client& client, const Output& output, v1::CompareAndSwapRequest request) {
  const StatusOr<v1::CompareAndSwapResponse> response = client.CompareAndSwap(std::move(request));
  if (!response.ok()) return Fail(output, response.status());
  if (output.json) {
    json object = ToJson(response->header());
    object["swapped"] = response->swapped();
    if (response->swapped()) object["version"] = response->version();
    if (response->has_current()) object["current"] = ToJson(response->current());
    if (response->current_omitted()) object["current_omitted"] = true;
    Print(object);
  } else if (response->swapped()) {
    std::cout << "swapped: revision " << response->header().revision() << ", version " << response->version() << '\n';
  } else if (response->has_current()) {
    const v1::KeyValue& current = response->current();
    std::cerr << "decree: refused, the key is not as expected: version " << current.version() << ", mod revision "
              << current.mod_revision() << ", value:\n";
    PrintValue(current.value());
  } else if (response->current_omitted()) {
    std::cerr << "decree: refused, the key is not as expected; what it holds is not told, for the node had no room "
                 "for the answer; read the key\n";
  } else {
    std::cerr << "decree: refused, there is no such key\n";
  }
  return response->swapped() ? kDone : kSwapRefused;
}

int Outcome(Client& client, const Output& output, uint64_t session, uint64_t number, bool settle) {
  const StatusOr<v1::OutcomeResponse> response = client.Outcome(session, number, settle);
  if (!response.ok()) return Fail(output, response.status());
  const StateText text = TextOf(response->state());
  const v1::RequestAnswer& answer = response->answer();
  if (output.json) {
    json object = ToJson(response->header());
    object["state"] = text.name;
    if (response->has_answer()) {
      object["answer"] = {
          {"revision", answer.revision()}, {"changed", answer.changed()}, {"version", answer.version()}};
      if (answer.has_previous()) object["answer"]["previous"] = ToJson(answer.previous());
      if (answer.previous_omitted()) object["answer"]["previous_omitted"] = true;
    }
    if (!response->refusal().empty()) object["refusal"] = response->refusal();
    Print(object);
  } else {
    std::cout << text.what << response->refusal();
    if (response->has_answer()) {
      std::cout << ": revision " << answer.revision() << ", " << (answer.changed() ? "changed" : "nothing changed")
                << ", version " << answer.version();
    }
    std::cout << '\n';
  }
  return kDone;
}

int TransferLeadership(Client& client, const Output& output, uint32_t heir) {
  const StatusOr<v1::TransferLeadershipResponse> response = client.TransferLeadership(heir);
  if (!response.ok()) return Fail(output, response.status());
  if (output.json) {
    Print({{"leader", response->leader()}});
  } else {
    std::cout << "n" << response->leader() << " leads\n";
  }
  return heir == 0 || response->leader() == heir ? kDone : kFailed;
}

}  // namespace decree::rpc::cli
