#pragma once
// Tells the service manager that started this process how it does, as systemd's Type=notify wants it:
// one datagram to the socket that NOTIFY_SOCKET names. (sd_notify(3), which is a stable protocol.)

#include <string_view>

namespace decree::rpc {

// Tells the state, "READY=1" or "STOPPING=1". Does nothing if no manager asks for it; a manager that does not listen is
// logged, and is no error.
void NotifyServiceManager(std::string_view state);

}  // namespace decree::rpc
