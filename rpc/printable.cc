#include "rpc/printable.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace decree::rpc {

std::string Printable(std::string_view text, size_t bytes_max) {
  std::string printable(text.substr(0, bytes_max));
  const auto is_not = [](char byte) { return !absl::ascii_isprint(static_cast<unsigned char>(byte)); };
  std::replace_if(printable.begin(), printable.end(), is_not, '?');
  if (text.size() > bytes_max) printable += "...";
  return printable;
}

}  // namespace decree::rpc
