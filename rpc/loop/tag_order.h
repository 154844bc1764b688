#pragma once
// How tags go into a completion queue and come out of it. gRPC is built without the thread sanitizer,
// which therefore sees neither that a tag is taken after it was given, nor how gRPC keeps its own threads in order. It
// is told here. In other builds that costs nothing.

#include <grpcpp/completion_queue.h>

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>

extern "C" {
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
}
#endif

namespace decree::rpc {

inline void* GiveTag(void* tag) {
#ifdef __SANITIZE_THREAD__
  __tsan_release(tag);
#endif
  return tag;
}

// The queue's AsyncNext. Within it runs only what gRPC has in its headers, which is instrumented with us.
inline grpc::CompletionQueue::NextStatus TakeTag(grpc::CompletionQueue& queue, gpr_timespec deadline, void** tag,
                                                 bool* ok) {
#ifdef __SANITIZE_THREAD__
  AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
  AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
#endif
  const auto status = queue.AsyncNext(tag, ok, deadline);
#ifdef __SANITIZE_THREAD__
  AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
  AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  if (status == grpc::CompletionQueue::GOT_EVENT) __tsan_acquire(*tag);
#endif
  return status;
}

}  // namespace decree::rpc
