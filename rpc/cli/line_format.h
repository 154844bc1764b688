#pragma once
// Keys and values as lines of text, KEY<TAB>VALUE, for `get`, `export` and `import`.
//
//   \\   a backslash          \n    a line end
//   \t   a tab                \xHH  the byte with this number
//
// All other bytes stand for themselves, those of UTF-8 among them. In a value a tab may too.

#include <string>
#include <string_view>
#include <utility>

#include "paxos/base/status.h"

namespace decree::rpc::cli {

// Backslashes and control characters are escaped.
std::string Escape(std::string_view bytes);
// kInvalidArgument if a backslash is followed by what it may not be.
StatusOr<std::string> Unescape(std::string_view text);

// The line, without its end.
std::string MakeLine(std::string_view key, std::string_view value);
// kInvalidArgument if it is no such line.
StatusOr<std::pair<std::string, std::string>> ParseLine(std::string_view line);

}  // namespace decree::rpc::cli
