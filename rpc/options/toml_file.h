#pragma once
// A TOML file of options: `name = value` lines, without tables.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "paxos/base/status.h"

namespace decree::rpc {

struct TomlSetting {
  std::string name;
  // One, or those of an array, as they would be written on a command line.
  std::vector<std::string> values;
  uint32_t line = 0;  // from 1 on
};

// The file's settings in its order. kNotFound: it cannot be read; kInvalidArgument: it is no such file,
// with path, line and what is wrong.
StatusOr<std::vector<TomlSetting>> ReadTomlFile(const std::string& path);

// The string as TOML writes it, in quotes.
std::string TomlQuoted(std::string_view text);

}  // namespace decree::rpc
