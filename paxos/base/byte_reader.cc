#include "paxos/base/byte_reader.h"

#include <bit>
#include <cstring>
#include <limits>

#include <glog/logging.h>

namespace decree {
namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers on disk and wire are little-endian; add byte swaps for this machine");

template <typename Raw>
Raw Load(std::string_view bytes) {
  if (bytes.size() != sizeof(Raw)) return 0;
  Raw value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

template <typename Raw>
void Store(std::string& out, Raw value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out.append(bytes, sizeof(bytes));
}

}  // namespace

uint8_t ByteReader::U8() { return Load<uint8_t>(Bytes(sizeof(uint8_t))); }
uint32_t ByteReader::U32() { return Load<uint32_t>(Bytes(sizeof(uint32_t))); }
uint64_t ByteReader::U64() { return Load<uint64_t>(Bytes(sizeof(uint64_t))); }

std::string_view ByteReader::Bytes(uint64_t count) {
  if (!ok_ || count > rest_.size()) {
    ok_ = false;
    rest_ = {};
    return {};
  }
  const std::string_view taken = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return taken;
}

void PutU8(std::string& out, uint8_t value) { Store(out, value); }
void PutU32(std::string& out, uint32_t value) { Store(out, value); }
void PutU64(std::string& out, uint64_t value) { Store(out, value); }

void PutString(std::string& out, std::string_view bytes) {
  CHECK_LE(bytes.size(), std::numeric_limits<uint32_t>::max());
  PutU32(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

}  // namespace decree
