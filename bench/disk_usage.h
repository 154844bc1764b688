#pragma once
// What the disks of this machine have written.
//
// These are figures of all processes together: what the kernel charges one process with (write_bytes in /proc/PID/io)
// counts pages as they become dirty, and a file system with large folios has a small synced write charged with all of
// one, tens of times what reaches the disk.

#include <cstdint>
#include <optional>
#include <string>

namespace decree::bench {

// Bytes since the machine was started; nothing if the kernel does not tell. Devices that stand on others (loop,
// RAID, volumes) are not counted again.
std::optional<uint64_t> DiskBytesWritten(const std::string& block_devices = "/sys/block");

}  // namespace decree::bench
