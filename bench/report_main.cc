// decree-bench-report: a table and a picture of what bench/compare.sh has measured.

#include <fstream>
#include <iostream>
#include <string>

#include <CLI/CLI.hpp>

#include "bench/comparison.h"

namespace decree::bench {
namespace {

int Main(int argc, char** argv) {
  CLI::App app("Prints a table of what bench/compare.sh has measured, and draws DIRECTORY/comparison.svg.");
  std::string directory, etcd_version;
  app.add_option("DIRECTORY", directory, "Where the results are")->required();
  app.add_option("--etcd-version", etcd_version, "Which etcd it was")->required();
  CLI11_PARSE(app, argc, argv);
  const StatusOr<Comparison> comparison = Comparison::Read(directory);
  if (!comparison.ok()) {
    std::cerr << "decree-bench-report: " << comparison.status().message() << '\n';
    return 1;
  }
  std::cout << comparison->ToMarkdown(etcd_version);
  std::ofstream picture(directory + "/comparison.svg");
  picture << comparison->ToSvg();
  if (!picture.flush()) {
    std::cerr << "decree-bench-report: cannot write " << directory << "/comparison.svg\n";
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace decree::bench

int main(int argc, char** argv) { return decree::bench::Main(argc, argv); }
