#include "kv/answer_block.h"

#include <optional>
#include <utility>

#include <glog/logging.h>

#include "paxos/base/byte_reader.h"

namespace decree::kv {

void AppendAnswer(uint64_t number, const SessionAnswer& answer, std::string& block) {
  PutVarint(block, number);
  PutU64(block, answer.hash);
  PutString(block, answer.result);
}

Status VisitAnswers(std::string_view block,
                    const std::function<void(uint64_t number, uint64_t hash, std::string_view result)>& visit) {
  ByteReader reader(block);
  do {
    const uint64_t number = reader.Varint();
    const uint64_t hash = reader.U64();
    const std::string_view result = reader.String();
    if (!reader.ok()) return absl::DataLossError("a session's answers in the store are malformed");
    visit(number, hash, result);
  } while (!reader.AtEnd());
  return OkStatus();
}

std::string RequireAnswer(std::string_view block, uint64_t number) {
  std::optional<std::string> answer;
  const Status status = VisitAnswers(block, [&](uint64_t at, uint64_t, std::string_view result) {
    if (at == number) answer = std::string(result);
  });
  CHECK(status.ok()) << status;
  CHECK(answer.has_value()) << "the store has lost the answer to request " << number << " of a session";
  return *std::move(answer);
}

}  // namespace decree::kv
