#include "paxos/fs/file_system.h"

#include <algorithm>

namespace decree::paxos {

StatusOr<std::string> File::Read(uint64_t offset, size_t size) const {
  ASSIGN_OR_RETURN(const uint64_t file_size, Size());
  if (offset >= file_size) return std::string();
  std::string bytes(std::min<uint64_t>(size, file_size - offset), '\0');
  ASSIGN_OR_RETURN(const size_t read, ReadTo(offset, bytes.size(), bytes.data()));
  bytes.resize(read);
  return bytes;
}

}  // namespace decree::paxos
