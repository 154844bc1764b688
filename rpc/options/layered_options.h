#pragma once
// A program's options, each of which may be given as a flag (--heartbeat-ms 100), in the environment
// (DECREED_HEARTBEAT_MS=100), or in the TOML file of --config (heartbeat-ms = 100). A flag counts before
// the environment, and that before the file.
//
// A wrong value is refused with the option's name, the value, what is allowed, and where it was set.

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include <CLI/CLI.hpp>

#include "paxos/base/status.h"
#include "paxos/base/time.h"
#include "rpc/options/toml_file.h"

namespace decree::rpc {

class LayeredOptions {
 public:
  // `app` outlives this. The environment's names begin with `prefix`, as in DECREED_; those in `foreign`
  // do too, and belong to others.
  LayeredOptions(CLI::App& app, std::string prefix, std::vector<std::string> foreign = {});

  // Adds an option, whose default is what `value` holds.
  template <typename T>
  CLI::Option* Add(const std::string& name, T& value, const std::string& what) {
    return Register(app_.add_option("--" + name, value, what)->capture_default_str(), name, std::is_arithmetic_v<T>);
  }
  // Adds a duration that is given in milliseconds.
  CLI::Option* AddMilliseconds(const std::string& name, Duration& value, const std::string& what) {
    return AddNumber(
        name, ToMilliseconds(value), [&value](int64_t number) { value = Milliseconds(number); }, what);
  }
  // Adds a number of bytes that is given in MiB.
  template <typename T>
  CLI::Option* AddMebibytes(const std::string& name, T& value, const std::string& what) {
    return AddNumber(
        name, static_cast<int64_t>(value >> 20), [&value](int64_t number) { value = static_cast<T>(number) << 20; },
        what);
  }
  // Adds an option that is "on" or "off".
  CLI::Option* AddSwitch(const std::string& name, bool& value, const std::string& what);
  CLI::Option* AddFlag(const std::string& name, bool& value, const std::string& what) {
    return Register(app_.add_flag("--" + name, value, what)->default_str("false"), name, true);
  }

  // Reads all three; one of the app's commands must be given. Nothing if the program may go on, else what it should
  // end with: 0 after --help or --version (to `out`), 2 after an error (to `err`).
  std::optional<int> Parse(const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err);
  // Prints what is wrong, and where each option that the text names was set; returns 2.
  int Refuse(std::string_view text, std::ostream& err) const;
  // All options with the values that count, as a file for --config.
  std::string ToToml() const;

 private:
  struct Entry {
    std::string name;
    CLI::Option* option;
    bool is_bare;  // written without quotes
  };

  CLI::Option* AddNumber(const std::string& name, int64_t initial, const std::function<void(int64_t)>& set,
                         const std::string& what);
  CLI::Option* Register(CLI::Option* option, const std::string& name, bool is_bare);
  std::string EnvironmentName(const std::string& name) const;
  const Entry* Find(std::string_view name) const;
  std::string SourceOf(const Entry& entry) const;
  std::string TomlLineOf(const Entry& entry) const;
  Status ReadFile();
  void WarnOfUnknownEnvironment(std::ostream& err) const;

  CLI::App& app_;
  const std::string prefix_;
  const std::vector<std::string> foreign_;
  std::vector<Entry> entries_;
  std::string file_;
  std::vector<std::string> arguments_;
  std::map<std::string, uint32_t, std::less<>> lines_;  // where in the file an option is set
};

}  // namespace decree::rpc
