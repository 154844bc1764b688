// decree-scenario FILE...: runs text scenarios; exits with 1 at the first that does not hold.

#include <fstream>
#include <iostream>
#include <sstream>

#include <glog/logging.h>

#include "tests/scenarios/scenario.h"

int main(int argc, char** argv) {
  google::InitGoogleLogging(argv[0]);
  FLAGS_logtostderr = true;
  if (argc < 2) {
    std::cerr << "usage: decree-scenario FILE...\n";
    return 2;
  }
  for (int i = 1; i < argc; ++i) {
    std::ifstream file(argv[i]);
    std::stringstream text;
    text << file.rdbuf();
    if (!file) {
      std::cerr << argv[i] << ": cannot be read\n";
      return 2;
    }
    const decree::Status status = decree::scenario::Scenario::Run(text.str());
    if (!status.ok()) {
      std::cerr << argv[i] << ": " << status.message() << '\n';
      return 1;
    }
    std::cout << argv[i] << ": holds\n";
  }
  return 0;
}
