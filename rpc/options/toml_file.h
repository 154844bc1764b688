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
  // One value, or those of an array, as they would be written on a command line.
  std::vector<std::string> values;
  uint32_t line = 0;  // from 1 on
};

// The file's settings, in its order. kNotFound if it cannot be read; kInvalidArgument, with path, line and what is
// wrong, if it is no such file.
StatusOr<std::vector<TomlSetting>> ReadTomlFile(const std::string& path);

// The string as TOML writes it, in quotes.
std::string TomlQuoted(std::string_view text);

}  // namespace decree::rpc
