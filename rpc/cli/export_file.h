#pragma once
// The file that `decree export` writes and `decree import` reads: lines as in line_format.h, and two of its own, which
// have no tab. The first tells what the file is, the last that it is whole.

#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "paxos/base/status.h"

namespace decree::rpc::cli {

// What is exported.
struct ExportHeader {
  uint64_t revision = 0;
  uint64_t store_epoch = 0;
  std::string prefix;

  friend bool operator==(const ExportHeader&, const ExportHeader&) = default;
};

// Whether a line is no key and value, but means something to people or to us.
bool IsRemark(std::string_view line);
std::string HeaderLine(const ExportHeader& header);
std::optional<ExportHeader> ParseHeaderLine(std::string_view line);
std::string EndLine(uint64_t keys);
std::optional<uint64_t> ParseEndLine(std::string_view line);

// What an export that did not end has left.
struct PartialExport {
  ExportHeader header;
  uint64_t keys = 0;
  std::string last_key;
  uint64_t bytes = 0;     // of whole lines
  bool is_whole = false;  // whether it has its last line
};
// Nothing if there is no such file; kFailedPrecondition if it is something else.
StatusOr<std::optional<PartialExport>> ReadPartialExport(const std::string& path);

// Writes to FILE.part, which becomes FILE when it is whole; or to standard output, which is "-".
class ExportWriter {
 public:
  // Goes on with a part, of which `bytes` are kept.
  static StatusOr<std::unique_ptr<ExportWriter>> Open(const std::string& file, uint64_t bytes);
  ~ExportWriter();
  ExportWriter(const ExportWriter&) = delete;
  ExportWriter& operator=(const ExportWriter&) = delete;

  // Errors name the file.
  Status Write(std::string_view lines);
  // Tells that all has been written.
  Status Finish();

 private:
  ExportWriter(std::string path, std::string final_path, std::FILE* out)
      : path_(std::move(path)), final_path_(std::move(final_path)), out_(out) {}
  Status Error(const char* what) const;

  const std::string path_;
  const std::string final_path_;  // empty: standard output
  std::FILE* out_;
};

std::string PartPath(const std::string& file);

}  // namespace decree::rpc::cli
