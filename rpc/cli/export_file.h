#pragma once
// The file that `decree export` writes and `decree import` reads: lines as in line_format.h, and two of its
// own, which have no tab: the first tells what it is, the last that it is whole.

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

// A line that is no key and value, but means something to people, or to us.
bool IsRemark(std::string_view line);
std::string HeaderLine(const ExportHeader& header);
std::optional<ExportHeader> ParseHeaderLine(std::string_view line);
std::string EndLine(uint64_t keys);
std::optional<uint64_t> ParseEndLine(std::string_view line);

// What an export has left that did not end.
struct PartialExport {
  ExportHeader header;
  uint64_t keys = 0;
  std::string last_key;
  uint64_t bytes = 0;     // of whole lines
  bool is_whole = false;  // it has its last line
};
// Nothing if there is no such file. kFailedPrecondition: it is something else.
StatusOr<std::optional<PartialExport>> ReadPartialExport(const std::string& path);

// Writes to FILE.part, which becomes FILE when it is whole; or to standard output, which is "-".
class ExportWriter {
 public:
  // `bytes`: how much of the part is kept.
  static StatusOr<std::unique_ptr<ExportWriter>> Open(const std::string& file, uint64_t bytes);
  ~ExportWriter();
  ExportWriter(const ExportWriter&) = delete;
  ExportWriter& operator=(const ExportWriter&) = delete;

  // Errors name the file.
  Status Write(std::string_view lines);
  // All has been written.
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
