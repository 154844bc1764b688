// A file of options, as --config reads it: it is taken or refused with its place, and what is taken is written back as
// a file that says the same.

#include <sys/mman.h>
#include <unistd.h>

#include <sstream>
#include <string>

#include <glog/logging.h>

#include "rpc/options/server_options.h"
#include "tests/fuzz/fuzz.h"

namespace decree::fuzz {
namespace {

// A file in memory.
class ConfigFile {
 public:
  explicit ConfigFile(std::string_view bytes) : fd_(memfd_create("config", MFD_CLOEXEC)) {
    CHECK_GE(fd_, 0);
    CHECK_EQ(write(fd_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  }
  ~ConfigFile() { close(fd_); }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd_); }

 private:
  const int fd_;
};

struct Answer {
  int code = 0;
  std::string out;
  std::string err;
};

Answer PrintConfig(const std::string& path) {
  std::ostringstream out;
  std::ostringstream err;
  const rpc::CommandLine line = rpc::ParseCommandLine({"serve", "--config", path, "--print-config"}, out, err);
  return {line.exit_code, out.str(), err.str()};
}

// Without the comments, which say where an option was set.
std::string SettingsIn(const std::string& config) {
  std::istringstream lines(config);
  std::string settings;
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && line[0] != '#') settings += line + "\n";
  }
  return settings;
}

}  // namespace

void Run(std::string_view bytes) {
  const ConfigFile file(bytes);
  const Answer answer = PrintConfig(file.path());
  if (answer.code != 0) {
    CHECK_EQ(answer.code, 2) << answer.err;
    CHECK(!answer.err.empty());
    return;
  }
  const ConfigFile written(answer.out);
  const Answer again = PrintConfig(written.path());
  CHECK_EQ(again.code, 0) << again.err << "\nof what was written:\n" << answer.out;
  CHECK_EQ(SettingsIn(again.out), SettingsIn(answer.out));
}

}  // namespace decree::fuzz
