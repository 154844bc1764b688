#include "rpc/cli/line_format.h"

#include "absl/strings/escaping.h"
#include "absl/strings/string_view.h"

namespace decree::rpc::cli {
namespace {

constexpr char kHexDigits[] = "0123456789abcdef";

bool IsControl(char byte) { return static_cast<unsigned char>(byte) < 0x20 || byte == 0x7f; }

bool IsHex(std::string_view digits) {
  return digits.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

absl::Status WrongEscape(std::string_view text, size_t at) {
  return absl::InvalidArgumentError(
      StrCat("\"", std::string(text.substr(at, 4)), "\" is no escape; there are \\\\ \\t \\n and \\xHH"));
}

}  // namespace

std::string Escape(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (const char byte : bytes) {
    if (byte == '\\') {
      text += "\\\\";
    } else if (byte == '\t') {
      text += "\\t";
    } else if (byte == '\n') {
      text += "\\n";
    } else if (IsControl(byte)) {
      text += "\\x";
      text += kHexDigits[static_cast<unsigned char>(byte) >> 4];
      text += kHexDigits[byte & 0xf];
    } else {
      text += byte;
    }
  }
  return text;
}

StatusOr<std::string> Unescape(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size());
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '\\') {
      bytes += text[at];
      continue;
    }
    const std::string_view rest = text.substr(at + 1);
    if (rest.starts_with('\\')) {
      bytes += '\\';
    } else if (rest.starts_with('t')) {
      bytes += '\t';
    } else if (rest.starts_with('n')) {
      bytes += '\n';
    } else if (rest.starts_with('x') && rest.size() >= 3 && IsHex(rest.substr(1, 2))) {
      bytes += absl::HexStringToBytes(absl::string_view(rest.data() + 1, 2));
      at += 2;
    } else {
      return WrongEscape(text, at);
    }
    ++at;
  }
  return bytes;
}

std::string MakeLine(std::string_view key, std::string_view value) { return Escape(key) + '\t' + Escape(value); }

StatusOr<std::pair<std::string, std::string>> ParseLine(std::string_view line) {
  const size_t tab = line.find('\t');
  if (tab == std::string_view::npos || tab == 0) {
    return absl::InvalidArgumentError("it is not of the form KEY<TAB>VALUE");
  }
  ASSIGN_OR_RETURN(std::string key, Unescape(line.substr(0, tab)));
  ASSIGN_OR_RETURN(std::string value, Unescape(line.substr(tab + 1)));
  return std::pair(std::move(key), std::move(value));
}

}  // namespace decree::rpc::cli
