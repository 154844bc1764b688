#include "kv/answer_block.h"

#include "paxos/base/byte_reader.h"

namespace decree::kv {

void AppendAnswer(uint64_t number, const SessionAnswer& answer, std::string& block) {
  PutVarint(block, number);
  PutU64(block, answer.hash);
  PutString(block, answer.result);
}

Status VisitAnswers(
    std::string_view block,
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

StatusOr<std::optional<SessionAnswer>> FindAnswer(std::string_view block, uint64_t number) {
  std::optional<SessionAnswer> answer;
  RETURN_IF_ERROR(VisitAnswers(block, [&](uint64_t at, uint64_t hash, std::string_view result) {
    if (at == number) answer = {.hash = hash, .result = std::string(result)};
  }));
  return answer;
}

}  // namespace decree::kv
