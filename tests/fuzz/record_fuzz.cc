// Keys and records of the store: the order of the keys is that of what they stand for, and what can be decoded is what
// was encoded.

#include <algorithm>
#include <string>
#include <tuple>

#include <glog/logging.h>

#include "kv/answer_block.h"
#include "kv/key_codec.h"
#include "kv/key_record.h"
#include "tests/fuzz/fuzz.h"

namespace decree::fuzz {
namespace {

using namespace kv;  // NOLINT: a test of nothing else

void CheckKeys(Input input) {
  const std::string_view a = input.NextPiece();
  const std::string_view b = input.NextPiece();
  const Revision at_a{input.Number(8), static_cast<uint32_t>(input.Number(4))};
  const Revision at_b{input.Number(8), static_cast<uint32_t>(input.Number(4))};
  CHECK_EQ(KeyOfHead(HeadKey(a)), a);
  CHECK_EQ(HeadKey(a) < HeadKey(b), a < b);
  CHECK_LT(HeadKey(a), HeadsEnd());
  const std::string signpost_a = SignpostKey(a, at_a);
  const std::string signpost_b = SignpostKey(b, at_b);
  CHECK_EQ(KeyOfSignpost(signpost_a), a);
  CHECK(RevisionOfSignpost(signpost_a) == at_a);
  CHECK_EQ(signpost_a < signpost_b, std::tie(a, at_a) < std::tie(b, at_b));
  CHECK_LT(signpost_a, SignpostsEnd(a));
  CHECK(a >= b || SignpostsEnd(a) < signpost_b);
  CHECK_LT(signpost_a, SignpostsEnd());
  CHECK_EQ(ChangeKey(at_a) < ChangeKey(at_b), at_a < at_b);
}

void CheckRecords(std::string_view bytes) {
  if (const auto counters = DecodeKeyCounters(bytes); counters.ok()) {
    const auto again = DecodeKeyCounters(EncodeKeyCounters(*counters));
    CHECK(again.ok() && *again == *counters) << again.status();
  }
  if (const auto change = DecodeKeyChange(bytes); change.ok()) {
    const std::string encoded = EncodeKeyChange(change->key, change->record);
    const auto again = DecodeKeyChange(encoded);
    CHECK(again.ok()) << again.status();
    CHECK(again->key == change->key && again->record == change->record);
    CHECK_EQ(KeyOfChange(bytes), change->key);
  }
}

void CheckAnswers(std::string_view bytes) {
  std::string encoded;
  static_cast<void>(VisitAnswers(bytes, [&](uint64_t number, uint64_t hash, std::string_view result) {
    AppendAnswer(number, {.hash = hash, .result = std::string(result)}, encoded);
  }));
  if (encoded.empty()) return;
  std::string again;
  CHECK(VisitAnswers(encoded, [&](uint64_t number, uint64_t hash, std::string_view result) {
          AppendAnswer(number, {.hash = hash, .result = std::string(result)}, again);
        }).ok());
  CHECK(again == encoded);
}

}  // namespace

void Run(std::string_view bytes) {
  CheckKeys(Input(bytes));
  CheckRecords(bytes);
  CheckAnswers(bytes);
}

}  // namespace decree::fuzz
