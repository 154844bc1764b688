#pragma once
// Tells the service manager that started this process how it does, as systemd's Type=notify wants it:
// one datagram to the socket that NOTIFY_SOCKET names. (sd_notify(3), which is a stable protocol.)

#include <string_view>

namespace decree::rpc {

// `state`: "READY=1" or "STOPPING=1". Does nothing where no manager asks for it; that one does not listen is
// logged, and no error.
void NotifyServiceManager(std::string_view state);

}  // namespace decree::rpc
