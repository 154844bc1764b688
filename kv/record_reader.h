#pragma once
// How a key's records are found in the store: its head names the newest change, the change has the value.
//
// `Source` is a Store or a Store::Snapshot. A head that names a change which is not there ends the process.

#include <optional>
#include <string>
#include <string_view>

#include <glog/logging.h>

#include "kv/key_codec.h"
#include "kv/key_record.h"

namespace decree::kv {

// The counters of the key's newest record; nothing if there is no such key.
template <typename Source>
std::optional<KeyCounters> ReadCounters(const Source& source, std::string_view key) {
  const std::optional<std::string> bytes = source.Get(HeadKey(key));
  if (!bytes.has_value()) return std::nullopt;
  return RequireKeyCounters(*bytes);
}

// The change that this revision made, as it is stored.
template <typename Source>
std::string ReadChangeBytes(const Source& source, Revision revision) {
  std::optional<std::string> bytes = source.Get(ChangeKey(revision));
  CHECK(bytes.has_value()) << "the store has lost revision " << revision.main;
  return *std::move(bytes);
}

// The change that this revision made, which is one of the key.
template <typename Source>
KeyRecord ReadChange(const Source& source, std::string_view key, Revision revision) {
  return RequireChangeOf(key, ReadChangeBytes(source, revision));
}

}  // namespace decree::kv
