#pragma once
// gRPC is built without the thread sanitizer, which therefore does not see that whoever takes a tag off a
// completion queue comes after whoever gave it to gRPC. These tell it; in other builds they do nothing.

#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

namespace decree::rpc {

inline void* GiveTag(void* tag) {
#ifdef __SANITIZE_THREAD__
  __tsan_release(tag);
#endif
  return tag;
}

inline void* TakeTag(void* tag) {
#ifdef __SANITIZE_THREAD__
  __tsan_acquire(tag);
#endif
  return tag;
}

}  // namespace decree::rpc
