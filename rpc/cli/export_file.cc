#include "rpc/cli/export_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "rpc/cli/line_format.h"

namespace decree::rpc::cli {
namespace {

constexpr std::string_view kRevisionMark = "# decree export of revision ";
constexpr std::string_view kEpochMark = ", epoch ";
constexpr std::string_view kPrefixMark = ", prefix ";
constexpr std::string_view kEndMark = "# end of export, keys: ";

// Takes `mark` off the front; false if it is not there.
bool Take(std::string_view mark, std::string_view& text) {
  if (!text.starts_with(mark)) return false;
  text.remove_prefix(mark.size());
  return true;
}

bool Take(uint64_t& number, std::string_view& text) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) return false;
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  return true;
}

}  // namespace

// ---- Lines ----

bool IsRemark(std::string_view line) { return line.starts_with('#') && line.find('\t') == std::string_view::npos; }

std::string HeaderLine(const ExportHeader& header) {
  return StrCat(std::string(kRevisionMark), header.revision, std::string(kEpochMark), header.store_epoch,
                std::string(kPrefixMark), Escape(header.prefix));
}

std::optional<ExportHeader> ParseHeaderLine(std::string_view line) {
  ExportHeader header;
  if (!Take(kRevisionMark, line) || !Take(header.revision, line) || !Take(kEpochMark, line) ||
      !Take(header.store_epoch, line) || !Take(kPrefixMark, line)) {
    return std::nullopt;
  }
  StatusOr<std::string> prefix = Unescape(line);
  if (!prefix.ok()) return std::nullopt;
  header.prefix = *std::move(prefix);
  return header;
}

std::string EndLine(uint64_t keys) { return StrCat(std::string(kEndMark), keys); }

std::optional<uint64_t> ParseEndLine(std::string_view line) {
  uint64_t keys = 0;
  if (!Take(kEndMark, line) || !Take(keys, line) || !line.empty()) return std::nullopt;
  return keys;
}

// ---- Reading what is left ----

StatusOr<std::optional<PartialExport>> ReadPartialExport(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file && !std::filesystem::exists(path)) return std::nullopt;
  PartialExport found;
  std::string line;
  std::optional<ExportHeader> header;
  // A last line without an end was cut off.
  if (std::getline(file, line) && !file.eof()) header = ParseHeaderLine(line);
  if (!header.has_value()) {
    return absl::FailedPreconditionError(StrCat(path, " is in the way: it is not what an export has left; remove it"));
  }
  found.header = *std::move(header);
  found.bytes = line.size() + 1;
  while (std::getline(file, line) && !file.eof()) {
    if (ParseEndLine(line).has_value()) {
      found.is_whole = true;
    } else {
      const auto key_and_value = ParseLine(line);
      if (!key_and_value.ok()) {
        return absl::FailedPreconditionError(
            StrCat(path, ", line ", found.keys + 2, ": ", key_and_value.status().message(), "; remove that file"));
      }
      ++found.keys;
      found.last_key = key_and_value->first;
    }
    found.bytes += line.size() + 1;
  }
  return found;
}

// ---- Writing ----

std::string PartPath(const std::string& file) { return file + ".part"; }

StatusOr<std::unique_ptr<ExportWriter>> ExportWriter::Open(const std::string& file, uint64_t bytes) {
  if (file == "-") return std::unique_ptr<ExportWriter>(new ExportWriter("-", "", stdout));
  const std::string path = PartPath(file);
  std::FILE* const out = std::fopen(path.c_str(), "ab");
  std::unique_ptr<ExportWriter> writer(new ExportWriter(path, file, out));
  if (out == nullptr || ftruncate(fileno(out), static_cast<off_t>(bytes)) != 0) {
    return writer->Error("cannot be opened");
  }
  return writer;
}

ExportWriter::~ExportWriter() {
  if (!final_path_.empty() && out_ != nullptr) std::fclose(out_);
}

Status ExportWriter::Error(const char* what) const {
  return absl::UnavailableError(StrCat(path_, " ", what, ": ", std::strerror(errno)));
}

Status ExportWriter::Write(std::string_view lines) {
  if (std::fwrite(lines.data(), 1, lines.size(), out_) != lines.size() || std::fflush(out_) != 0) {
    return Error("cannot be written");
  }
  return OkStatus();
}

Status ExportWriter::Finish() {
  if (final_path_.empty()) return OkStatus();
  if (fsync(fileno(out_)) != 0) return Error("cannot be synced");
  if (std::rename(path_.c_str(), final_path_.c_str()) != 0) return Error("cannot be renamed");
  return OkStatus();
}

}  // namespace decree::rpc::cli
