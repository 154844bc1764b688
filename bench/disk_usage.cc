#include "bench/disk_usage.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace decree::bench {
namespace {

namespace fs = std::filesystem;

// The kernel counts in these sectors, whatever the device's own are.
constexpr uint64_t kSectorBytes = 512;

// Documentation/block/stat.rst of Linux: the seventh field.
std::optional<uint64_t> SectorsWritten(const fs::path& device) {
  std::ifstream file(device / "stat");
  uint64_t field = 0;
  for (int i = 0; i < 7; ++i) file >> field;
  return file ? std::optional(field) : std::nullopt;
}

}  // namespace

std::optional<uint64_t> DiskBytesWritten(const std::string& block_devices) {
  std::optional<uint64_t> bytes;
  std::error_code error;
  for (fs::directory_iterator it(block_devices, error), end; !error && it != end; it.increment(error)) {
    std::error_code absent;
    if (!fs::exists(it->path() / "device", absent)) continue;  // there is no hardware to it
    const std::optional<uint64_t> sectors = SectorsWritten(it->path());
    if (sectors.has_value()) bytes = bytes.value_or(0) + *sectors * kSectorBytes;
  }
  return bytes;
}

}  // namespace decree::bench
