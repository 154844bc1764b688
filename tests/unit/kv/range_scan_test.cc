#include "kv/range_scan.h"

#include <map>

#include "paxos/base/random.h"
#include "tests/unit/kv/kv_fixture.h"

namespace decree::kv {
namespace {

using Contents = std::map<std::string, std::string>;

class RangeScanTest : public testing::Test {
 protected:
  // All of the range at the revision, in pages of so many keys; each page from the newest view.
  Contents Read(const KeyRange& range, uint64_t revision, size_t page_keys) {
    Contents contents;
    KeyRange rest = range;
    while (true) {
      size_t taken = 0;
      std::string previous = rest.first;
      const auto next = kv_->machine().view()->Scan(rest, revision, [&](std::string_view key, const KeyRecord& record) {
        if (taken == page_keys) return false;
        EXPECT_LE(record.counters.modified.main, revision);
        EXPECT_TRUE(taken == 0 || previous < key) << "keys come in order";
        previous = std::string(key);
        EXPECT_TRUE(contents.emplace(key, record.value).second) << "a key comes once";
        ++taken;
        return true;
      });
      CHECK(next.ok()) << next.status();
      if (!next->has_value()) return contents;
      rest.first = **next;
    }
  }

  paxos::SimulatedFileSystem files_{1};
  std::unique_ptr<OpenStore> kv_ = std::make_unique<OpenStore>(files_);
};

TEST_F(RangeScanTest, AnEmptyStoreHasNothing) { EXPECT_EQ(Read({.first = "", .end = ""}, 1, 10), Contents()); }

TEST_F(RangeScanTest, BoundsAreInclusiveBelowAndExclusiveAbove) {
  kv_->Apply({PutCommand("a", "1"), PutCommand("b", "2"), PutCommand("c", "3")});
  EXPECT_EQ(Read({.first = "a", .end = "c"}, 4, 10), (Contents{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(Read({.first = "b", .end = ""}, 4, 10), (Contents{{"b", "2"}, {"c", "3"}}));
  EXPECT_EQ(Read({.first = "c", .end = "a"}, 4, 10), Contents()) << "an empty range";
}

TEST_F(RangeScanTest, WhatWasDeletedSinceIsThereAtTheOldRevision) {
  kv_->Apply({PutCommand("a", "1"), PutCommand("b", "2")});
  kv_->Apply({DeleteCommand("a"), PutCommand("b", "new"), PutCommand("c", "3")});
  EXPECT_EQ(Read({.first = "", .end = ""}, 3, 1), (Contents{{"a", "1"}, {"b", "2"}}));
  EXPECT_EQ(Read({.first = "", .end = ""}, 4, 1), (Contents{{"b", "2"}}));
  EXPECT_EQ(Read({.first = "", .end = ""}, 6, 1), (Contents{{"b", "new"}, {"c", "3"}}));
}

TEST_F(RangeScanTest, ARevisionToComeIsRefused) {
  const auto next =
      kv_->machine().view()->Scan({.first = "", .end = ""}, 2, [](std::string_view, const KeyRecord&) { return true; });
  EXPECT_EQ(next.status().code(), absl::StatusCode::kOutOfRange);
  EXPECT_THAT(std::string(next.status().message()), testing::HasSubstr("the newest is 1"));
}

// Back along a chain that is longer than the signposts are apart, and across a deletion.
TEST_F(RangeScanTest, EveryChangeOfAKeyIsFound) {
  constexpr int kChanges = 40;
  std::map<uint64_t, std::string> held;
  for (int i = 0; i < kChanges; ++i) {
    if (i == kChanges / 2) {
      kv_->ApplyOne(DeleteCommand("k"));
      held[kv_->machine().state().revision] = "";
    }
    kv_->ApplyOne(PutCommand("k", StrCat(i)));
    held[kv_->machine().state().revision] = StrCat(i);
  }
  for (const auto& [revision, value] : held) {
    const Contents expected = value.empty() ? Contents() : Contents{{"k", value}};
    EXPECT_EQ(Read({.first = "", .end = ""}, revision, 10), expected) << "at " << revision;
  }
}

// Signposts stand close, so one key that changes all the time does not use up a walk.
TEST_F(RangeScanTest, AnOldRevisionOfABusyKeyIsNear) {
  kv_->Apply({PutCommand("busy", "first"), PutCommand("other", "")});
  const uint64_t revision = kv_->machine().state().revision;
  kv_->Apply(std::vector<std::string>(kStepsMax, PutCommand("busy", "")));
  size_t visited = 0;
  const auto next = kv_->machine().view()->Scan({.first = "", .end = ""}, revision,
                                                [&](std::string_view, const KeyRecord&) { return ++visited > 0; });
  ASSERT_TRUE(next.ok());
  EXPECT_FALSE(next->has_value());
  EXPECT_EQ(visited, 2u);
}

// What it costs to go back along chains counts too.
TEST_F(RangeScanTest, AWalkIsBoundedHoweverLongTheChains) {
  const auto put_all = [&] {
    std::vector<std::string> commands;
    for (size_t i = 0; i < kStepsMax / 4; ++i) commands.push_back(PutCommand(StrCat("k", i), ""));
    kv_->Apply(commands);
  };
  put_all();
  const uint64_t revision = kv_->machine().state().revision;
  for (int i = 0; i < 6; ++i) put_all();
  size_t visited = 0;
  const auto next = kv_->machine().view()->Scan({.first = "", .end = ""}, revision,
                                                [&](std::string_view, const KeyRecord&) { return ++visited > 0; });
  ASSERT_TRUE(next.ok() && next->has_value());
  EXPECT_GE(visited, kStepsMax / 8);
  EXPECT_LT(visited, kStepsMax / 6);
}

// A range full of keys that came later or are gone ends a walk too, and it can be gone on with.
TEST_F(RangeScanTest, AWalkIsBoundedWhateverItMeets) {
  kv_->ApplyOne(PutCommand("z", "there"));
  const uint64_t revision = kv_->machine().state().revision;
  std::vector<std::string> commands;
  for (size_t i = 0; i < kStepsMax + 10; ++i) commands.push_back(PutCommand(StrCat("k", i), ""));
  kv_->Apply(commands);
  size_t visited = 0;
  const auto view = kv_->machine().view();
  const auto visit = [&](std::string_view, const KeyRecord&) { return ++visited > 0; };
  const auto next = view->Scan({.first = "", .end = ""}, revision, visit);
  ASSERT_TRUE(next.ok() && next->has_value());
  EXPECT_EQ(visited, 0u);
  const auto rest = view->Scan({.first = **next, .end = ""}, revision, visit);
  ASSERT_TRUE(rest.ok());
  EXPECT_FALSE(rest->has_value());
  EXPECT_EQ(visited, 1u);
}

// Against a model: any keys, among them some that are prefixes of others or hold zero bytes.
TEST_F(RangeScanTest, EveryRevisionStaysAsItWas) {
  Random random(7);
  const std::string alphabet("\0\x01\xff\x61", 4);
  const auto random_key = [&] {
    std::string key;
    for (size_t i = 0, size = 1 + random.Below(3); i < size; ++i) {
      key.push_back(alphabet[random.Below(alphabet.size())]);
    }
    return key;
  };
  std::map<uint64_t, Contents> states;
  Contents now;
  states[kv_->machine().state().revision] = now;
  for (int i = 0; i < 400; ++i) {
    const std::string key = random_key();
    if (random.Below(3) == 0) {
      kv_->ApplyOne(DeleteCommand(key));
      now.erase(key);
    } else {
      kv_->ApplyOne(PutCommand(key, StrCat(i)));
      now[key] = StrCat(i);
    }
    states[kv_->machine().state().revision] = now;
  }
  for (int i = 0; i < 400; ++i) {
    const auto state = std::next(states.begin(), static_cast<long>(random.Below(states.size())));
    const KeyRange range{.first = random.Below(2) == 0 ? "" : random_key(),
                         .end = random.Below(2) == 0 ? "" : random_key()};
    Contents expected;
    for (const auto& [key, value] : state->second) {
      if (key >= range.first && (range.end.empty() || key < range.end)) expected[key] = value;
    }
    EXPECT_EQ(Read(range, state->first, 1 + random.Below(20)), expected) << "at " << state->first;
  }
}

}  // namespace
}  // namespace decree::kv
