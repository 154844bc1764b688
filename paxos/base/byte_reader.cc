#include "paxos/base/byte_reader.h"

#include <bit>
#include <cstring>
#include <limits>

#include <glog/logging.h>

namespace decree {
namespace {

static_assert(std::endian::native == std::endian::little,
              "numbers on disk and wire are little-endian; add byte swaps for this machine");

constexpr int kVarintBits = 7;
constexpr uint64_t kVarintMask = 0x7f;

template <typename Raw>
Raw Load(std::string_view bytes) {
  if (bytes.size() != sizeof(Raw)) return 0;
  Raw value;
  std::memcpy(&value, bytes.data(), sizeof(value));
  return value;
}

template <typename Raw>
void AppendRaw(std::string& out, Raw value) {
  char bytes[sizeof(value)];
  std::memcpy(bytes, &value, sizeof(value));
  out.append(bytes, sizeof(bytes));
}

}  // namespace

uint8_t ByteReader::U8() { return Load<uint8_t>(Bytes(sizeof(uint8_t))); }
uint32_t ByteReader::U32() { return Load<uint32_t>(Bytes(sizeof(uint32_t))); }
uint64_t ByteReader::U64() { return Load<uint64_t>(Bytes(sizeof(uint64_t))); }

uint64_t ByteReader::Varint() {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += kVarintBits) {
    const uint64_t byte = U8();
    const uint64_t bits = byte & kVarintMask;
    // We write no number that does not fit, and none longer than it need be.
    if ((bits << shift) >> shift != bits || (byte == 0 && shift > 0)) ok_ = false;
    value |= bits << shift;
    if (byte == bits) return ok_ ? value : 0;
  }
  ok_ = false;
  return 0;
}

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

void PutU8(std::string& out, uint8_t value) { AppendRaw(out, value); }
void PutU32(std::string& out, uint32_t value) { AppendRaw(out, value); }
void PutU64(std::string& out, uint64_t value) { AppendRaw(out, value); }

void PutVarint(std::string& out, uint64_t value) {
  for (; value > kVarintMask; value >>= kVarintBits) {
    out.push_back(static_cast<char>(value | ~kVarintMask));
  }
  out.push_back(static_cast<char>(value));
}

void PutString(std::string& out, std::string_view bytes) {
  CHECK_LE(bytes.size(), std::numeric_limits<uint32_t>::max());
  PutU32(out, static_cast<uint32_t>(bytes.size()));
  out.append(bytes);
}

}  // namespace decree
