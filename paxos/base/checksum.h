#pragma once
// The checksum of everything that we write to disk: XXH3, 64 bits, seeded.

#include <cstdint>
#include <string_view>

namespace decree {

// A seed ties bytes to where they belong (a segment, a file), so that the right bytes in the wrong
// place do not verify.
uint64_t Checksum(std::string_view bytes, uint64_t seed);

}  // namespace decree
