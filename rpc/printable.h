#pragma once
// Words of others for our own log, terminal and answers: a stranger may send anything as the name of a cluster, and a
// hundred kilobytes of it.

#include <cstddef>
#include <string>
#include <string_view>

namespace decree::rpc {

// Names are no longer.
inline constexpr size_t kNameBytesMax = 64;
// Sentences are not much longer.
inline constexpr size_t kTextBytesMax = 1024;

// The text, cut after so many bytes, with '?' for each byte that is no printable character of ASCII: so that it stays
// in its line, says nothing to a terminal, and can stand in any message.
std::string Printable(std::string_view text, size_t bytes_max);

}  // namespace decree::rpc
