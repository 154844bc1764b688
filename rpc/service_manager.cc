#include "rpc/service_manager.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include <glog/logging.h>

namespace decree::rpc {

void NotifyServiceManager(std::string_view state) {
  const char* const path = std::getenv("NOTIFY_SOCKET");
  if (path == nullptr || *path == '\0') return;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t path_bytes = std::strlen(path);
  if (path_bytes >= sizeof(address.sun_path)) {
    LOG(WARNING) << "NOTIFY_SOCKET is too long for a socket's name: " << path;
    return;
  }
  std::memcpy(address.sun_path, path, path_bytes);
  // An abstract name begins with a zero byte.
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';
  const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  PCHECK(descriptor >= 0) << "socket";
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path_bytes);
  if (sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&address), size) <
      0) {
    PLOG(WARNING) << path << ": the service manager was not told " << state;
  }
  close(descriptor);
}

}  // namespace decree::rpc
