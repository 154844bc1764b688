// A target for clang's libFuzzer, which has the main function.

#include <cstddef>
#include <cstdint>

#include <glog/logging.h>

#include "tests/fuzz/fuzz.h"

extern "C" int LLVMFuzzerInitialize(int*, char***) {
  FLAGS_minloglevel = google::GLOG_FATAL;  // What is refused is told by the thousand.
  FLAGS_logtostderr = true;
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  decree::fuzz::Run({reinterpret_cast<const char*>(bytes), size});
  return 0;
}
