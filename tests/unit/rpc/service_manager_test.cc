#include "rpc/service_manager.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <string>

#include <glog/logging.h>
#include <gtest/gtest.h>

namespace decree::rpc {
namespace {

// The manager's end, under a name in the file system or an abstract one, which begins with '@'.
class ServiceManagerTest : public testing::TestWithParam<std::string> {
 protected:
  ServiceManagerTest() : name_(GetParam() + std::to_string(getpid())) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    name_.copy(address.sun_path, sizeof(address.sun_path));
    if (name_[0] == '@') address.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
    PCHECK(bind(socket_, reinterpret_cast<const sockaddr*>(&address), size) == 0) << name_;
    const timeval limit{.tv_sec = 5, .tv_usec = 0};
    PCHECK(setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) == 0);
    setenv("NOTIFY_SOCKET", name_.c_str(), 1);
  }
  ~ServiceManagerTest() override {
    unsetenv("NOTIFY_SOCKET");
    close(socket_);
    unlink(name_.c_str());
  }

  std::string Received() {
    char buffer[100];
    const ssize_t bytes = recv(socket_, buffer, sizeof(buffer), 0);
    return bytes < 0 ? "nothing" : std::string(buffer, static_cast<size_t>(bytes));
  }

  const std::string name_;
  const int socket_ = socket(AF_UNIX, SOCK_DGRAM, 0);
};

TEST_P(ServiceManagerTest, IsTold) {
  NotifyServiceManager("READY=1");
  EXPECT_EQ(Received(), "READY=1");
  NotifyServiceManager("STOPPING=1");
  EXPECT_EQ(Received(), "STOPPING=1");
}

TEST_P(ServiceManagerTest, MayBeAbsent) {
  setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
  NotifyServiceManager("READY=1");
  setenv("NOTIFY_SOCKET", std::string(500, 'x').c_str(), 1);
  NotifyServiceManager("READY=1");
  unsetenv("NOTIFY_SOCKET");
  NotifyServiceManager("READY=1");
}

INSTANTIATE_TEST_SUITE_P(Names, ServiceManagerTest, testing::Values("/tmp/decree_notify_", "@decree_notify_"));

}  // namespace
}  // namespace decree::rpc
