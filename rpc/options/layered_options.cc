#include "rpc/options/layered_options.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <iostream>
#include <set>
#include <sstream>
#include <utility>

namespace decree::rpc {
namespace {

constexpr int kWrongUsage = 2;

bool IsSet(const std::string& variable) {
  const char* const value = std::getenv(variable.c_str());
  return value != nullptr && *value != '\0';
}

// Names that Kubernetes makes of a service's name.
bool IsOfAService(std::string_view name) {
  return name == "PORT" || name.substr(0, 5) == "PORT_" || name.substr(0, 8) == "SERVICE_";
}

bool IsPartOfAName(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-'; }

// The options that a text names, without their dashes, each once.
std::vector<std::string> NamedIn(std::string_view text) {
  std::vector<std::string> names;
  for (size_t at = text.find("--"); at != text.npos; at = text.find("--", at)) {
    at += 2;
    size_t end = at;
    while (end < text.size() && IsPartOfAName(text[end])) ++end;
    const std::string name(text.substr(at, end - at));
    if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
  }
  return names;
}

// Broken into lines of a comment.
std::string AsComment(const std::string& text) {
  constexpr size_t kWidth = 100;
  std::istringstream words(text);
  std::string out = "#";
  size_t width = 1;
  for (std::string word; words >> word;) {
    if (width + 1 + word.size() > kWidth) {
      out += "\n#";
      width = 1;
    }
    out += " " + word;
    width += 1 + word.size();
  }
  return out + '\n';
}

}  // namespace

LayeredOptions::LayeredOptions(CLI::App& app, std::string prefix, std::vector<std::string> foreign)
    : app_(app), prefix_(std::move(prefix)), foreign_(std::move(foreign)) {
  app.add_option("--config", file_, "A TOML file of options, with lines such as name = value")
      ->envname(EnvironmentName("config"))
      ->take_last();
}

CLI::Option* LayeredOptions::Register(CLI::Option* option, const std::string& name, bool is_bare) {
  entries_.push_back({.name = name, .option = option, .is_bare = is_bare});
  return option->envname(EnvironmentName(name))
      ->multi_option_policy(option->get_items_expected_max() > 1 ? CLI::MultiOptionPolicy::TakeAll
                                                                 : CLI::MultiOptionPolicy::TakeLast);
}

CLI::Option* LayeredOptions::AddNumber(const std::string& name, int64_t initial,
                                       const std::function<void(int64_t)>& set, const std::string& what) {
  CLI::Option* const option = app_.add_option_function<int64_t>("--" + name, set, what);
  return Register(option->default_str(StrCat(initial)), name, true);
}

CLI::Option* LayeredOptions::AddSwitch(const std::string& name, bool& value, const std::string& what) {
  const auto set = [&value](const std::string& text) { value = text == "on"; };
  CLI::Option* const option = app_.add_option_function<std::string>("--" + name, set, what);
  const CLI::Validator on_or_off(
      [](const std::string& text) -> std::string {
        if (text == "on" || text == "off") return {};
        return StrCat("\"", text, "\" is not allowed; allowed is on or off");
      },
      "on or off");
  return Register(option->default_str(value ? "on" : "off")->check(on_or_off), name, false);
}

std::string LayeredOptions::EnvironmentName(const std::string& name) const {
  std::string out = prefix_;
  for (const char c : name) {
    out.push_back(c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c))));
  }
  return out;
}

const LayeredOptions::Entry* LayeredOptions::Find(std::string_view name) const {
  const auto found =
      std::find_if(entries_.begin(), entries_.end(), [name](const Entry& entry) { return entry.name == name; });
  return found == entries_.end() ? nullptr : &*found;
}

// ---- Reading ----

std::optional<int> LayeredOptions::Parse(const std::vector<std::string>& arguments, std::ostream& out,
                                         std::ostream& err) {
  arguments_ = arguments;
  try {
    // CLI11 takes arguments from the end of the vector.
    app_.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
    if (app_.get_subcommands().empty()) return Refuse("a command must be given; --help lists them", err);
    if (const Status read = ReadFile(); !read.ok()) return Refuse(std::string(read.message()), err);
  } catch (const CLI::Success& done) {
    return app_.exit(done, out, err);
  } catch (const CLI::ParseError& error) {
    return Refuse(error.what(), err);
  }
  WarnOfUnknownEnvironment(err);
  return std::nullopt;
}

Status LayeredOptions::ReadFile() {
  if (file_.empty()) return OkStatus();
  ASSIGN_OR_RETURN(const std::vector<TomlSetting> settings, ReadTomlFile(file_));
  for (const TomlSetting& setting : settings) {
    const Entry* const entry = Find(setting.name);
    if (entry == nullptr) {
      return absl::InvalidArgumentError(
          StrCat(file_, ", line ", setting.line, ": ", setting.name, " is no option; --help lists them all"));
    }
    lines_[setting.name] = setting.line;
    if (entry->option->count() > 0) continue;  // a flag or the environment counts
    if (setting.values.size() != 1 && entry->option->get_items_expected_max() == 1) {
      return absl::InvalidArgumentError(
          StrCat(file_, ", line ", setting.line, ": ", setting.name, " takes one value, and no array"));
    }
    entry->option->add_result(setting.values);
    entry->option->run_callback();
  }
  return OkStatus();
}

void LayeredOptions::WarnOfUnknownEnvironment(std::ostream& err) const {
  std::set<std::string> known(foreign_.begin(), foreign_.end());
  known.insert(EnvironmentName("config"));
  for (const Entry& entry : entries_) known.insert(EnvironmentName(entry.name));
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (text.substr(0, prefix_.size()) != prefix_) continue;
    const std::string name(text.substr(0, text.find('=')));
    if (known.count(name) > 0 || IsOfAService(name.substr(prefix_.size()))) continue;
    err << app_.get_name() << ": warning: " << name
        << " is set in the environment, but there is no such option; --help lists them all\n";
  }
}

// ---- Telling ----

std::string LayeredOptions::SourceOf(const Entry& entry) const {
  const std::string flag = "--" + entry.name;
  const bool is_flag = std::any_of(arguments_.begin(), arguments_.end(), [&](const std::string& word) {
    return word == flag || word.compare(0, flag.size() + 1, flag + "=") == 0;
  });
  if (is_flag) return "set on the command line";
  const std::string variable = EnvironmentName(entry.name);
  if (IsSet(variable)) return StrCat("set in the environment, ", variable);
  const auto line = lines_.find(entry.name);
  if (line != lines_.end()) return StrCat("set in ", file_, ", line ", line->second);
  return "not set, and has its default";
}

int LayeredOptions::Refuse(std::string_view text, std::ostream& err) const {
  err << app_.get_name() << ": " << text << '\n';
  for (const std::string& name : NamedIn(text)) {
    const Entry* const entry = Find(name);
    if (entry != nullptr) err << "  --" << name << " is " << SourceOf(*entry) << '\n';
  }
  return kWrongUsage;
}

std::string LayeredOptions::TomlLineOf(const Entry& entry) const {
  const auto written = [&entry](const std::string& value) { return entry.is_bare ? value : TomlQuoted(value); };
  const bool is_list = entry.option->get_items_expected_max() > 1;
  const bool is_set = entry.option->count() > 0;
  std::vector<std::string> values;
  if (is_set) {
    values = entry.option->reduced_results();
  } else if (is_list) {
    // Lists show their default as [a,b].
    const std::string text = entry.option->get_default_str();
    values = CLI::detail::split(text.substr(1, text.size() - 2), ',');
  } else {
    values = {entry.option->get_default_str()};
  }
  std::string line;
  // An option without a default has nothing to write.
  if (!is_set && (values[0].empty() || values[0] == "0")) line = "# ";
  line += entry.name + " = ";
  if (!is_list) return line + written(values[0]);
  line += '[';
  for (size_t i = 0; i < values.size(); ++i) line += (i == 0 ? "" : ", ") + written(values[i]);
  return line + ']';
}

std::string LayeredOptions::ToToml() const {
  std::string out;
  for (const Entry& entry : entries_) {
    const std::string type = entry.option->get_type_name();  // TEXT, or INT:1 to 10
    const size_t colon = type.find(':');
    const std::string allowed = colon == type.npos ? "" : type.substr(colon + 1) + "; ";
    out += StrCat(AsComment(entry.option->get_description()), "# ", allowed, SourceOf(entry), "\n", TomlLineOf(entry),
                  "\n\n");
  }
  out.pop_back();
  return out;
}

}  // namespace decree::rpc
