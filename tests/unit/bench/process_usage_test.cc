#include "bench/process_usage.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace decree::bench {
namespace {

// The socket's own address.
sockaddr_in AddressOf(int socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  EXPECT_EQ(getsockname(socket, reinterpret_cast<sockaddr*>(&address), &size), 0);
  return address;
}

TEST(ProcessUsageTest, FindsWhoListensOnAPort) {
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  ASSERT_EQ(bind(server, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  address = AddressOf(server);
  const uint16_t port = ntohs(address.sin_port);
  EXPECT_EQ(ListenerOn(port), std::nullopt);
  ASSERT_EQ(listen(server, 1), 0);
  EXPECT_EQ(ListenerOn(port), getpid());

  const int client = socket(AF_INET, SOCK_STREAM, 0);
  ASSERT_EQ(connect(client, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  EXPECT_EQ(ListenerOn(ntohs(AddressOf(client).sin_port)), std::nullopt) << "it does not listen";
  close(client);
  close(server);
  EXPECT_EQ(ListenerOn(port), std::nullopt);
}

TEST(ProcessUsageTest, CountsWhatThisProcessUses) {
  EXPECT_EQ(ProcessName(getpid()), "bench_test");
  const StatusOr<ProcessUsage> before = UsageOf(getpid());
  ASSERT_TRUE(before.ok()) << before.status();
  EXPECT_GT(before->resident_bytes, 1u << 20);

  // Works until the clock of the CPU has gone on.
  const clock_t start = clock();
  uint64_t sum = 0;
  while (clock() - start < CLOCKS_PER_SEC / 10) sum += static_cast<uint64_t>(clock());
  EXPECT_NE(sum, 0u);
  const StatusOr<ProcessUsage> after = UsageOf(getpid());
  ASSERT_TRUE(after.ok());
  EXPECT_GE(after->cpu - before->cpu, Milliseconds(80));
  EXPECT_GE(after->switches, before->switches);
}

TEST(ProcessUsageTest, AProcessThatIsNotThereIsAnError) {
  EXPECT_EQ(UsageOf(1 << 22).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ProcessName(1 << 22), "");
}

}  // namespace
}  // namespace decree::bench
