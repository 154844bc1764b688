#include "bench/process_usage.h"

#include <unistd.h>

#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>
#include <system_error>

namespace decree::bench {
namespace {

namespace fs = std::filesystem;

constexpr char kListening[] = "0A";

std::string ReadFile(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// "NAME:   123 kB" in a file of such lines.
uint64_t NumberAfter(const std::string& text, std::string_view name) {
  for (size_t at = text.find(name); at != std::string::npos; at = text.find(name, at + 1)) {
    if (at > 0 && text[at - 1] != '\n') continue;
    const size_t digits = text.find_first_of("0123456789", at + name.size());
    uint64_t value = 0;
    if (digits != std::string::npos) {
      std::from_chars(text.data() + digits, text.data() + text.size(), value);
    }
    return value;
  }
  return 0;
}

// The sockets, by inode, that listen on the port.
std::set<std::string> ListeningInodes(uint16_t port) {
  std::set<std::string> inodes;
  for (const char* const table : {"/proc/net/tcp", "/proc/net/tcp6"}) {
    std::ifstream file(table);
    std::string line;
    std::getline(file, line);  // the heading
    while (std::getline(file, line)) {
      std::istringstream fields(line);
      std::string number, local, remote, state, queues, timer, retries, user, timeout, inode;
      fields >> number >> local >> remote >> state >> queues >> timer >> retries >> user >> timeout >> inode;
      const size_t colon = local.rfind(':');
      if (state != kListening || colon == std::string::npos) continue;
      uint16_t found = 0;
      std::from_chars(local.data() + colon + 1, local.data() + local.size(), found, 16);
      if (found == port) inodes.insert("socket:[" + inode + "]");
    }
  }
  return inodes;
}

bool HasOneOf(const fs::path& process, const std::set<std::string>& sockets) {
  std::error_code error;
  for (fs::directory_iterator it(process / "fd", error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (sockets.contains(fs::read_symlink(it->path(), gone).string())) return true;
  }
  return false;
}

fs::path ProcOf(pid_t pid) { return fs::path("/proc") / std::to_string(pid); }

}  // namespace

std::optional<pid_t> ListenerOn(uint16_t port) {
  const std::set<std::string> sockets = ListeningInodes(port);
  if (sockets.empty()) return std::nullopt;
  std::error_code error;
  for (fs::directory_iterator it("/proc", error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    pid_t pid = 0;
    const auto parsed = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (parsed.ec != std::errc() || parsed.ptr != name.data() + name.size()) continue;
    if (HasOneOf(it->path(), sockets)) return pid;
  }
  return std::nullopt;
}

std::string ProcessName(pid_t pid) {
  std::string name = ReadFile(ProcOf(pid) / "comm");
  if (!name.empty() && name.back() == '\n') name.pop_back();
  return name;
}

StatusOr<ProcessUsage> UsageOf(pid_t pid) {
  const std::string stat = ReadFile(ProcOf(pid) / "stat");
  const size_t name_end = stat.rfind(')');  // the name may hold anything, but what follows holds none
  if (name_end == std::string::npos) {
    return absl::NotFoundError(StrCat("process ", pid, " has ended"));
  }
  // proc(5): fields 3 to 13, then user and system time in clock ticks.
  std::istringstream fields(stat.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field <= 13; ++field) fields >> skipped;
  uint64_t user_ticks = 0, system_ticks = 0;
  fields >> user_ticks >> system_ticks;

  ProcessUsage usage;
  usage.cpu = Seconds(1) * (user_ticks + system_ticks) / sysconf(_SC_CLK_TCK);
  usage.resident_bytes = NumberAfter(ReadFile(ProcOf(pid) / "status"), "VmRSS:") * 1024;
  std::error_code error;
  for (fs::directory_iterator it(ProcOf(pid) / "task", error), end; !error && it != end; it.increment(error)) {
    const std::string status = ReadFile(it->path() / "status");
    usage.switches +=
        NumberAfter(status, "voluntary_ctxt_switches:") + NumberAfter(status, "nonvoluntary_ctxt_switches:");
  }
  return usage;
}

}  // namespace decree::bench
