#include "rpc/cli/export.h"

#include <future>
#include <iostream>
#include <memory>
#include <optional>
#include <utility>

#include <nlohmann/json.hpp>

#include "rpc/cli/export_file.h"
#include "rpc/cli/line_format.h"
#include "rpc/cli/progress.h"

namespace decree::rpc::cli {
namespace {

using Page = StatusOr<v1::RangeResponse>;

std::future<Page> StartPage(Client& client, v1::RangeRequest request) {
  auto promise = std::make_shared<std::promise<Page>>();
  client.Range(std::move(request), [promise](Page page) { promise->set_value(std::move(page)); });
  return promise->get_future();
}

class Exporter {
 public:
  Exporter(Client& client, const ExportRequest& request) : client_(client), request_(request) {
    header_.prefix = request.prefix;
    range_.set_first(request.prefix);
    range_.set_end(PrefixEnd(request.prefix));
    range_.set_read(request.read);
    range_.set_revision(request.revision);
  }

  decree::Status Run() {
    RETURN_IF_ERROR(TakeUpWhatIsLeft());
    ASSIGN_OR_RETURN(writer_, ExportWriter::Open(request_.file, bytes_kept_));
    if (!is_whole_) RETURN_IF_ERROR(WritePages());
    return writer_->Finish();
  }

  uint64_t keys() const { return keys_; }
  uint64_t revision() const { return header_.revision; }
  bool has_begun() const { return header_.revision != 0; }

 private:
  decree::Status TakeUpWhatIsLeft() {
    if (request_.file == "-") return OkStatus();
    const std::string path = PartPath(request_.file);
    ASSIGN_OR_RETURN(const std::optional<PartialExport> left, ReadPartialExport(path));
    if (!left.has_value()) return OkStatus();
    const uint64_t revision = left->header.revision;
    if (left->header.prefix != request_.prefix || (request_.revision != 0 && request_.revision != revision)) {
      return absl::FailedPreconditionError(StrCat(path, " is left of another export: revision ", revision,
                                                  ", prefix \"", Escape(left->header.prefix),
                                                  "\". End that one, or remove the file"));
    }
    std::cerr << "decree: goes on with " << path << ", of revision " << revision << ", behind " << left->keys
              << " keys\n";
    header_ = left->header;
    keys_ = left->keys;
    bytes_kept_ = left->bytes;
    is_whole_ = left->is_whole;
    range_.set_revision(revision);
    if (keys_ > 0) range_.set_first(left->last_key + '\0');
    return OkStatus();
  }

  // While a page is written the next is on its way.
  decree::Status WritePages() {
    std::future<Page> coming = StartPage(client_, range_);
    for (bool is_last = false; !is_last;) {
      ASSIGN_OR_RETURN(const v1::RangeResponse page, coming.get());
      RETURN_IF_ERROR(CheckSame(page));
      is_last = page.next().empty();
      if (!is_last) {
        range_.set_revision(page.revision());
        range_.set_first(page.next());
        coming = StartPage(client_, range_);
      }
      if (const decree::Status written = WritePage(page, is_last); !written.ok()) {
        if (!is_last) coming.wait();
        return written;
      }
    }
    return OkStatus();
  }

  decree::Status CheckSame(const v1::RangeResponse& page) {
    const uint64_t epoch = page.header().store_epoch();
    if (!has_begun() || header_.store_epoch == epoch) return OkStatus();
    return absl::AbortedError(StrCat("the store has been restored since (epoch ", epoch, ", was ", header_.store_epoch,
                                     "); what was exported is of no use any more, begin anew"));
  }

  decree::Status WritePage(const v1::RangeResponse& page, bool is_last) {
    std::string lines;
    if (!has_begun()) {
      header_.revision = page.revision();
      header_.store_epoch = page.header().store_epoch();
      lines += HeaderLine(header_) + '\n';
    }
    for (const v1::KeyValue& kv : page.kvs()) lines += MakeLine(kv.key(), kv.value()) + '\n';
    keys_ += static_cast<uint64_t>(page.kvs_size());
    if (is_last) lines += EndLine(keys_) + '\n';
    bytes_ += lines.size();
    progress_.Update(keys_, bytes_, is_last);
    return writer_->Write(lines);
  }

  Client& client_;
  const ExportRequest& request_;
  v1::RangeRequest range_;  // that comes next
  ExportHeader header_;
  uint64_t keys_ = 0;
  uint64_t bytes_ = 0;
  uint64_t bytes_kept_ = 0;
  bool is_whole_ = false;
  std::unique_ptr<ExportWriter> writer_;
  Progress progress_{"keys"};
};

}  // namespace

int Export(Client& client, const Output& output, const ExportRequest& request) {
  Exporter exporter(client, request);
  if (const decree::Status status = exporter.Run(); !status.ok()) {
    const bool can_go_on = exporter.has_begun() && request.file != "-";
    return Fail(output,
                decree::Status(status.code(), StrCat(status.message(), can_go_on ? "; the same command goes on from "
                                                                                   "here, at the same revision"
                                                                                 : "")));
  }
  // Standard output may be what was exported.
  std::ostream& out = request.file == "-" ? std::cerr : std::cout;
  if (output.json) {
    out << nlohmann::json{{"exported", exporter.keys()}, {"revision", exporter.revision()}}.dump() << '\n';
  } else {
    out << "exported " << exporter.keys() << " keys of revision " << exporter.revision() << '\n';
  }
  return kDone;
}

}  // namespace decree::rpc::cli
