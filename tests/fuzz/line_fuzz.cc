// Lines of `export` and `import`: what is taken for a line comes back as one, and any key and value do.

#include <glog/logging.h>

#include "rpc/cli/line_format.h"
#include "tests/fuzz/fuzz.h"

namespace decree::fuzz {

void Run(std::string_view bytes) {
  using rpc::cli::MakeLine;
  using rpc::cli::ParseLine;
  if (const auto parsed = ParseLine(bytes); parsed.ok()) {
    const auto again = ParseLine(MakeLine(parsed->first, parsed->second));
    CHECK(again.ok()) << again.status();
    CHECK(*again == *parsed);
  }
  Input input(bytes);
  const std::string_view key = input.NextPiece();
  if (key.empty()) return;  // There is no such key.
  const auto parsed = ParseLine(MakeLine(key, input.rest()));
  CHECK(parsed.ok()) << parsed.status();
  CHECK(parsed->first == key && parsed->second == input.rest());
  CHECK(MakeLine(key, input.rest()).find('\n') == std::string::npos);
}

}  // namespace decree::fuzz
