#include "kv/store.h"

#include <array>
#include <cstdarg>
#include <cstdio>

#include <glog/logging.h>

namespace decree::kv {
namespace {

constexpr int kBloomBitsPerKey = 10;

std::string_view ToView(const leveldb::Slice& slice) { return {slice.data(), slice.size()}; }

// LevelDB's own remarks, of little use to an operator.
class DebugLogger final : public leveldb::Logger {
 public:
  void Logv(const char* format, std::va_list arguments) override {
    if (!VLOG_IS_ON(1)) return;
    std::array<char, 512> text;
    std::vsnprintf(text.data(), text.size(), format, arguments);
    VLOG(1) << "leveldb: " << text.data();
  }
};

leveldb::ReadOptions ReadFrom(const leveldb::Snapshot* snapshot) {
  leveldb::ReadOptions options;
  options.verify_checksums = true;
  options.snapshot = snapshot;
  return options;
}

void Require(const leveldb::Status& status, const char* operation) {
  if (!status.ok()) {
    LOG(FATAL) << "the store cannot be " << operation << ": " << status.ToString()
               << ". The process ends, for what it cannot read it must not take for absent";
  }
}

leveldb::ReadOptions ReadUncached(const leveldb::Snapshot* snapshot) {
  leveldb::ReadOptions options = ReadFrom(snapshot);
  options.fill_cache = false;
  return options;
}

std::optional<std::string> GetFrom(leveldb::DB& db, const leveldb::ReadOptions& options, std::string_view key) {
  std::string value;
  const leveldb::Status status = db.Get(options, ToSlice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  Require(status, "read");
  return value;
}

}  // namespace

std::optional<std::string> Store::Snapshot::Get(std::string_view key) const {
  return GetFrom(db_, ReadFrom(snapshot_), key);
}

std::optional<std::string> Store::Snapshot::GetUncached(std::string_view key) const {
  return GetFrom(db_, ReadUncached(snapshot_), key);
}

void Store::Snapshot::Scan(std::string_view first, std::string_view end,
                           const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  const std::unique_ptr<leveldb::Iterator> at(db_.NewIterator(ReadFrom(snapshot_)));
  for (at->Seek(ToSlice(first)); at->Valid() && ToView(at->key()) < end; at->Next()) {
    if (!visit(ToView(at->key()), ToView(at->value()))) break;
  }
  Require(at->status(), "read");
}

Store::Cursor Store::Snapshot::NewCursor() const {
  return Cursor(std::unique_ptr<leveldb::Iterator>(db_.NewIterator(ReadUncached(snapshot_))));
}

void Store::Cursor::Seek(std::string_view key) {
  iterator_->Seek(ToSlice(key));
  Require(iterator_->status(), "read");
}

void Store::Cursor::Next() {
  iterator_->Next();
  Require(iterator_->status(), "read");
}

std::string_view Store::Cursor::key() const { return ToView(iterator_->key()); }
std::string_view Store::Cursor::value() const { return ToView(iterator_->value()); }

Store::Store(paxos::FileSystem& files, leveldb::Env& host, const StoreOptions& options)
    : env_(files, host),
      logger_(std::make_unique<DebugLogger>()),
      cache_(leveldb::NewLRUCache(options.block_cache_bytes)),
      filter_(leveldb::NewBloomFilterPolicy(kBloomBitsPerKey)) {}

StatusOr<std::unique_ptr<Store>> Store::Open(const std::string& path, paxos::FileSystem& files,
                                             const StoreOptions& options, leveldb::Env& host) {
  if (const Status flushed = FlushStoreFiles(files, path); !flushed.ok()) {
    return Status(flushed.code(), StrCat("the store cannot be synced: ", std::string(flushed.message())));
  }
  std::unique_ptr<Store> store(new Store(files, host, options));
  leveldb::Options db_options;
  db_options.create_if_missing = true;
  db_options.paranoid_checks = true;
  db_options.reuse_logs = false;
  db_options.env = &store->env_;
  db_options.info_log = store->logger_.get();
  db_options.write_buffer_size = options.write_buffer_bytes;
  db_options.max_open_files = options.open_files_max;
  db_options.block_cache = store->cache_.get();
  db_options.filter_policy = store->filter_.get();
  // A tenth of what a node does under writes would be the compression of values that may not even shrink.
  db_options.compression = leveldb::kNoCompression;
  leveldb::DB* db = nullptr;
  const leveldb::Status opened = leveldb::DB::Open(db_options, path, &db);
  if (opened.IsCorruption()) {
    return absl::DataLossError(
        StrCat("the store in ", path, " is damaged: ", opened.ToString(),
               ". Move that directory away; the node rebuilds it from its log at the next start"));
  }
  if (!opened.ok()) {
    return absl::FailedPreconditionError(StrCat("the store in ", path, " cannot be opened: ", opened.ToString()));
  }
  store->db_.reset(db);
  return store;
}

std::optional<std::string> Store::Get(std::string_view key) const { return GetFrom(*db_, ReadFrom(nullptr), key); }

void Store::Write(leveldb::WriteBatch& batch) {
  // Unsynced: the Paxos log has these commands, and what LevelDB loses is applied again from there.
  Require(db_->Write(leveldb::WriteOptions(), &batch), "written");
}

uint64_t Store::SizeBytes() const {
  // The range of all keys.
  const std::string end("\xff\xff\xff\xff\xff");
  const leveldb::Range all(leveldb::Slice(), end);
  uint64_t bytes = 0;
  db_->GetApproximateSizes(&all, 1, &bytes);
  return bytes;
}

}  // namespace decree::kv
