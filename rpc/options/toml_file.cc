#include "rpc/options/toml_file.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#define TOML_EXCEPTIONS 0
#include <toml++/toml.h>

namespace decree::rpc {
namespace {

Status Wrong(const std::string& path, uint32_t line, std::string_view what) {
  return absl::InvalidArgumentError(StrCat(path, ", line ", line, ": ", std::string(what)));
}

// The position of the quote that ends the string which begins at `at`; nothing if it does not end in its line.
std::optional<size_t> EndOfString(std::string_view text, size_t at) {
  const char quote = text[at];
  for (size_t i = at + 1; i < text.size() && text[i] != '\n'; ++i) {
    if (text[i] == quote) return i;
    if (text[i] == '\\' && quote == '"') ++i;
  }
  return std::nullopt;
}

// Where strings may begin in a file of `name = value` and `name = [value, value]`.
class StringPlaces {
 public:
  // Whether a string may begin where this is called.
  bool IsHere() const { return place_ == Place::kName || place_ == Place::kValue || place_ == Place::kElement; }
  void PassString() { place_ = place_ == Place::kName ? Place::kBehindName : BehindValue(); }
  // Any character outside of strings and comments, but blanks.
  void Pass(char c) {
    const bool is_in_array = place_ == Place::kElement || place_ == Place::kBehindElement;
    if (c == '\n') {
      if (!is_in_array) place_ = Place::kName;
    } else if (is_in_array) {
      place_ = c == ']' ? Place::kBehindAll : c == ',' ? Place::kElement : Place::kBehindElement;
    } else if (place_ == Place::kName || place_ == Place::kBehindName) {
      place_ = c == '=' ? Place::kValue : Place::kBehindName;
    } else {
      place_ = place_ == Place::kValue && c == '[' ? Place::kElement : Place::kBehindAll;
    }
  }

 private:
  enum class Place { kName, kBehindName, kValue, kElement, kBehindElement, kBehindAll };

  Place BehindValue() const { return place_ == Place::kElement ? Place::kBehindElement : Place::kBehindAll; }

  Place place_ = Place::kName;
};

// toml++ 3.3 must not see letters beyond ASCII outside of strings and comments: what it does then is undefined. So it
// must be plain where a string begins and ends, and those of several lines are refused.
Status CheckCharacters(const std::string& path, std::string_view text) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  uint32_t line = 1;
  StringPlaces places;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      return Wrong(path, line, "letters beyond ASCII stand in quotes, or in comments");
    }
    if (c == '"' || c == '\'') {
      const std::optional<size_t> end = EndOfString(text, i);
      if (!end.has_value()) return Wrong(path, line, "a string does not end in its line");
      if (!places.IsHere()) return Wrong(path, line, "a quote stands where no string begins");
      places.PassString();
      i = *end;
    } else if (c == '#') {
      i = std::min(text.find('\n', i), text.size()) - 1;
    } else if (c != ' ' && c != '\t') {
      places.Pass(c);
      if (c == '\n') ++line;
    }
  }
  return OkStatus();
}

// Nothing if an option cannot be of this type.
std::optional<std::string> TextOf(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return std::to_string(number->get());
  if (const auto* flag = node.as_boolean()) return flag->get() ? "true" : "false";
  if (const auto* number = node.as_floating_point()) {
    std::ostringstream text;
    text << number->get();
    return text.str();
  }
  return std::nullopt;
}

StatusOr<TomlSetting> SettingOf(const std::string& path, const toml::key& key, const toml::node& node) {
  TomlSetting setting{.name = std::string(key.str()), .values = {}, .line = key.source().begin.line};
  const auto wrong = [&] {
    return Wrong(path, setting.line,
                 StrCat(setting.name,
                        ": options are numbers, true or false, strings in quotes, or "
                        "arrays of these; there are no tables"));
  };
  const auto add = [&setting](const toml::node& value) {
    std::optional<std::string> text = TextOf(value);
    if (text.has_value()) setting.values.push_back(std::move(*text));
    return text.has_value();
  };
  if (const toml::array* const array = node.as_array()) {
    if (!std::all_of(array->begin(), array->end(), add)) return wrong();
  } else if (!add(node)) {
    return wrong();
  }
  return setting;
}

}  // namespace

StatusOr<std::vector<TomlSetting>> ReadTomlFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::error_code unknown;
  if (!file.is_open() || std::filesystem::is_directory(path, unknown)) {
    return absl::NotFoundError(StrCat(path, ": cannot be read; it should be a file of options"));
  }
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  RETURN_IF_ERROR(CheckCharacters(path, text));
  const toml::parse_result parsed = toml::parse(text, path);
  if (!parsed) {
    return Wrong(path, parsed.error().source().begin.line, parsed.error().description());
  }
  std::vector<TomlSetting> settings;
  for (const auto& [key, node] : parsed.table()) {
    ASSIGN_OR_RETURN(TomlSetting setting, SettingOf(path, key, node));
    settings.push_back(std::move(setting));
  }
  std::sort(settings.begin(), settings.end(),
            [](const TomlSetting& a, const TomlSetting& b) { return a.line < b.line; });
  return settings;
}

std::string TomlQuoted(std::string_view text) {
  std::ostringstream out;
  out << toml::toml_formatter(toml::value<std::string>(std::string(text)), toml::format_flags::none);
  return out.str();
}

}  // namespace decree::rpc
