// A target without a fuzzer: runs it with each file of the directories that are named.

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>

#include <glog/logging.h>

#include "tests/fuzz/fuzz.h"

int main(int count, char** arguments) {
  FLAGS_minloglevel = google::GLOG_FATAL;
  FLAGS_logtostderr = true;
  size_t files = 0;
  for (int i = 1; i < count; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(arguments[i])) {
      std::ifstream file(entry.path(), std::ios::binary);
      const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
      std::cout << entry.path().filename().string() << std::endl;  // before a crash
      decree::fuzz::Run(bytes);
      ++files;
    }
  }
  std::cout << files << " inputs\n";
  return files > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
