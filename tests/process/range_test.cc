// Ranges, page by page while the keys change: every page is of the revision that the first one was of.

#include <atomic>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/process/process_cluster.h"

namespace decree::process {
namespace {

v1::RangeRequest AllKeys(v1::ReadMode read) {
  v1::RangeRequest request;
  request.set_read(read);
  return request;
}

// Two keys are written in turn, so at any revision the first is equal to the second or one step ahead.
TEST(RangeTest, PagesBelongToOneRevisionWhileKeysChange) {
  ProcessCluster cluster(3);
  cluster.AwaitLeader();
  const auto writer = cluster.NewClient(Seconds(30));
  ASSERT_TRUE(writer->Put("a", "0").ok() && writer->Put("b", "0").ok());
  std::atomic<bool> is_done{false};
  std::thread writing([&] {
    for (int step = 1; !is_done; ++step) {
      ASSERT_TRUE(writer->Put("a", std::to_string(step)).ok());
      ASSERT_TRUE(writer->Put("b", std::to_string(step)).ok());
    }
  });
  const auto client = cluster.NewClient(Seconds(30));
  uint64_t linearizable_revision = 0;
  for (int round = 0; round < 200; ++round) {
    const v1::ReadMode read = round % 2 == 0 ? v1::READ_MODE_LINEARIZABLE : v1::READ_MODE_STALE;
    v1::RangeRequest request = AllKeys(read);
    request.set_limit(1);
    const auto first = client->Range(request);
    ASSERT_TRUE(first.ok()) << first.status();
    ASSERT_EQ(first->kvs_size(), 1);
    EXPECT_EQ(first->kvs(0).key(), "a");
    if (read == v1::READ_MODE_LINEARIZABLE) {
      EXPECT_GE(first->revision(), linearizable_revision) << "older than what was seen before";
      linearizable_revision = first->revision();
    }
    request.set_first(first->next());
    request.set_revision(first->revision());
    const auto second = client->Range(request);
    ASSERT_TRUE(second.ok()) << second.status();
    ASSERT_EQ(second->kvs_size(), 1);
    EXPECT_EQ(second->kvs(0).key(), "b");
    EXPECT_EQ(second->next(), "");
    const int ahead = std::stoi(first->kvs(0).value()) - std::stoi(second->kvs(0).value());
    EXPECT_TRUE(ahead == 0 || ahead == 1) << ahead << " at revision " << first->revision();
  }
  is_done = true;
  writing.join();
}

TEST(RangeTest, APageHoldsAMebibyteAndOneKeyAtLeast) {
  ProcessCluster cluster(3);
  cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(30));
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(client->Put("k" + std::to_string(i), std::string(600 << 10, 'x')).ok());
  }
  ASSERT_TRUE(client->Put("l", std::string(1 << 20, 'x')).ok());
  v1::RangeRequest request = AllKeys(v1::READ_MODE_LINEARIZABLE);
  std::string keys;
  int pages = 0;
  do {
    const auto page = client->Range(request);
    ASSERT_TRUE(page.ok()) << page.status();
    ASSERT_EQ(page->kvs_size(), 1);
    keys += page->kvs(0).key() + " ";
    request.set_first(page->next());
    ++pages;
  } while (!request.first().empty());
  EXPECT_EQ(keys, "k0 k1 k2 l ");
  EXPECT_EQ(pages, 4);
}

TEST(RangeTest, WrongRequestsAreRefused) {
  ProcessCluster cluster(3);
  cluster.AwaitLeader();
  const auto client = cluster.NewClient(Seconds(1));
  ASSERT_TRUE(client->Put("k", "v").ok());
  v1::RangeRequest request = AllKeys(v1::READ_MODE_LINEARIZABLE);
  request.set_revision(1000);
  auto answer = client->Range(request);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kOutOfRange) << answer.status();
  request.set_read(v1::READ_MODE_STALE);
  answer = client->Range(request);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kUnavailable) << answer.status();
  EXPECT_THAT(std::string(answer.status().message()), testing::HasSubstr("this node may be behind"));
  request = AllKeys(v1::READ_MODE_LINEARIZABLE);
  request.set_end(std::string(5000, 'x'));
  answer = client->Range(request);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument) << answer.status();
  request.set_end("");
  request.set_read(static_cast<v1::ReadMode>(77));
  answer = client->Range(request);
  EXPECT_EQ(answer.status().code(), absl::StatusCode::kInvalidArgument) << answer.status();
}

}  // namespace
}  // namespace decree::process
