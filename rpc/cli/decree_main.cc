// decree: the command line of a Decree cluster.

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include <glog/logging.h>
#include <CLI/CLI.hpp>

#include "rpc/cli/commands.h"
#include "rpc/cli/export.h"
#include "rpc/cli/import.h"
#include "rpc/cli/status.h"
#include "rpc/client/client.h"
#include "rpc/options/layered_options.h"
#include "rpc/version.h"

namespace decree::rpc::cli {
namespace {

constexpr char kFooter[] =
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such key, 4 compare-and-swap refused.\n"
    "Options may also be given in the environment, such as DECREE_ENDPOINTS=10.0.0.1:7001, or in the file\n"
    "of --config, such as endpoints = [\"10.0.0.1:7001\"]. A flag overrides the environment, and the\n"
    "environment overrides the file.\n"
    "Each command has a --help of its own, with examples.\n"
    "Examples:\n"
    "  decree put colour blue\n"
    "  decree get colour\n"
    "  decree status";

// What the command line says.
struct Arguments {
  std::vector<std::string> endpoints{"127.0.0.1:7001", "127.0.0.1:7002", "127.0.0.1:7003"};
  double timeout_seconds = 5;
  Output output;

  std::string key;
  std::vector<std::string> keys;
  std::string value;
  v1::ReadMode read = v1::READ_MODE_LINEARIZABLE;
  std::string file;
  uint64_t from_line = 1;
  ExportRequest export_request;
  std::string expect_value;
  uint64_t expect_number = 0;
  uint64_t session = 0;
  uint64_t number = 0;
  bool settle = false;
  double watch_seconds = 2;
  uint32_t heir = 0;
  std::function<int(Client&)> run;
};

Duration ToDuration(double seconds) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(seconds));
}

CLI::App* AddCommand(CLI::App& app, const char* name, const char* what, const std::vector<std::string>& examples) {
  CLI::App* const command = app.add_subcommand(name, what);
  command->fallthrough();
  std::string footer("The options of `decree --help` may follow too.\nExamples:");
  for (const std::string& example : examples) footer += "\n  " + example;
  command->footer(footer);
  return command;
}

void AddRead(CLI::App& command, v1::ReadMode& read) {
  const std::map<std::string, v1::ReadMode> modes{{"linearizable", v1::READ_MODE_LINEARIZABLE},
                                                  {"stale", v1::READ_MODE_STALE}};
  command.add_option("--read", read, "linearizable: the latest write is seen; stale: any node answers at once")
      ->transform(CLI::CheckedTransformer(modes));
}

void AddPut(CLI::App& app, Arguments& arguments) {
  CLI::App* const put = AddCommand(app, "put", "Sets a key", {"decree put colour blue", "date | decree put started -"});
  put->add_option("KEY", arguments.key)->required();
  put->add_option("VALUE", arguments.value, "\"-\": from standard input")->required();
  put->callback([&arguments] {
    arguments.run = [&arguments](Client& client) {
      StatusOr<std::string> value = ReadValue(arguments.value);
      if (!value.ok()) return Fail(arguments.output, value.status());
      return Put(client, arguments.output, arguments.key, *std::move(value));
    };
  });
}

void AddGet(CLI::App& app, Arguments& arguments) {
  CLI::App* const get =
      AddCommand(app, "get", "Prints the value of a key, byte by byte; of several, lines KEY<TAB>VALUE",
                 {"decree get colour", "decree get colour shape --read stale", "decree get colour --json"});
  get->add_option("KEY", arguments.keys)->required();
  AddRead(*get, arguments.read);
  get->callback([&arguments] {
    arguments.run = [&arguments](Client& client) {
      return Get(client, arguments.output, arguments.keys, arguments.read);
    };
  });
}

void AddDelete(CLI::App& app, Arguments& arguments) {
  CLI::App* const del = AddCommand(app, "del", "Deletes a key", {"decree del colour"});
  del->add_option("KEY", arguments.key)->required();
  del->callback([&arguments] {
    arguments.run = [&arguments](Client& client) { return Delete(client, arguments.output, arguments.key); };
  });
}

void AddCompareAndSwap(CLI::App& app, Arguments& arguments) {
  CLI::App* const cas =
      AddCommand(app, "cas", "Sets a key if it is as expected; prints what it holds otherwise",
                 {"decree cas colour green --expect blue", "decree cas owner \"$HOSTNAME\" --expect-absent",
                  "decree cas colour red --expect-version 3"});
  cas->add_option("KEY", arguments.key)->required();
  cas->add_option("NEW", arguments.value, "The new value; \"-\": from standard input")->required();
  CLI::Option_group* const expected = cas->add_option_group("expected", "Exactly one of");
  const CLI::Option* const value = expected->add_option("--expect", arguments.expect_value, "The value that it has");
  const CLI::Option* const version = expected->add_option("--expect-version", arguments.expect_number, "Its version");
  const CLI::Option* const revision =
      expected->add_option("--expect-revision", arguments.expect_number, "The revision of its last change");
  expected->add_flag("--expect-absent")->description("There is no such key");
  expected->require_option(1);
  cas->callback([&arguments, value, version, revision] {
    arguments.run = [&arguments, value, version, revision](Client& client) {
      StatusOr<std::string> read = ReadValue(arguments.value);
      if (!read.ok()) return Fail(arguments.output, read.status());
      v1::CompareAndSwapRequest request;
      request.set_key(arguments.key);
      request.set_value(*std::move(read));
      if (value->count() > 0) {
        request.set_expected_value(arguments.expect_value);
      } else if (version->count() > 0) {
        request.set_expected_version(arguments.expect_number);
      } else if (revision->count() > 0) {
        request.set_expected_mod_revision(arguments.expect_number);
      } else {
        request.set_expected_absent(true);
      }
      return CompareAndSwap(client, arguments.output, std::move(request));
    };
  });
}

int ImportFile(Client& client, const Arguments& arguments) {
  ImportRequest request{.file = arguments.file, .from_line = arguments.from_line};
  if (arguments.file == "-") return Import(client, arguments.output, std::cin, request);
  std::ifstream file(arguments.file, std::ios::binary);
  if (!file) {
    return Fail(arguments.output, absl::NotFoundError(StrCat(arguments.file, ": cannot be read")));
  }
  std::error_code unknown;
  const auto bytes = std::filesystem::file_size(arguments.file, unknown);
  if (!unknown) request.bytes_total = bytes;
  return Import(client, arguments.output, file, request);
}

void AddImport(CLI::App& app, Arguments& arguments) {
  CLI::App* const import =
      AddCommand(app, "import", "Puts every line KEY<TAB>VALUE of a file; \\\\ \\t \\n \\xHH in it stand for bytes",
                 {"decree import keys.txt", "decree import keys.txt --from-line 5001",
                  "decree export - --endpoints 10.0.0.1:7001 | decree import -"});
  import->add_option("FILE", arguments.file, "\"-\": standard input")->required();
  import->add_option("--from-line", arguments.from_line, "Skips the lines before this one")->check(CLI::PositiveNumber);
  import->callback([&arguments] {
    arguments.run = [&arguments](Client& client) { return ImportFile(client, arguments);
};
}  // namespace
);
}  // namespace decree::rpc::cli

void AddExport(CLI::App& app, Arguments& arguments) {
  CLI::App* const command =
      AddCommand(app, "export", "Writes all keys, as they were at one moment, to a file that import takes",
                 {"decree export keys.txt", "decree export - --prefix users/ | grep alice",
                  "decree export before.txt --revision 5000 --read stale"});
  command->add_option("FILE", arguments.export_request.file, "\"-\": standard output")->required();
  command->add_option("--prefix", arguments.export_request.prefix, "Only keys with this prefix");
  command
      ->add_option("--revision", arguments.export_request.revision,
                   "The keys as they were at this revision; default: as they are now")
      ->check(CLI::PositiveNumber);
  AddRead(*command, arguments.export_request.read);
  command->callback([&arguments] {
    arguments.run = [&arguments](Client& client) { return Export(client, arguments.output, arguments.export_request); };
  });
}

void AddOutcome(CLI::App& app, Arguments& arguments) {
  CLI::App* const outcome =
      AddCommand(app, "outcome", "Tells what became of a write that failed; its error message names both numbers",
                 {"decree outcome 4194304 17", "decree outcome 4194304 17 --settle"});
  outcome->add_option("SESSION", arguments.session)->required();
  outcome->add_option("NUMBER", arguments.number)->required();
  outcome->add_flag("--settle", arguments.settle,
                    "Settles it: if it has not been carried out by now, it never will be");
  outcome->callback([&arguments] {
    arguments.run = [&arguments](Client& client) {
      return Outcome(client, arguments.output, arguments.session, arguments.number, arguments.settle);
    };
  });
}

void AddLeader(CLI::App& app, Arguments& arguments) {
  CLI::App* const leader = AddCommand(app, "leader", "Commands about leadership", {"decree leader transfer"});
  leader->require_subcommand(1);
  CLI::App* const transfer = AddCommand(
      *leader, "transfer", "Makes the leader hand over to this node, or else to the most advanced of the others",
      {"decree leader transfer", "decree leader transfer 2"});
  transfer->add_option("NODE", arguments.heir)->check(CLI::PositiveNumber);
  transfer->callback([&arguments] {
    arguments.run = [&arguments](Client& client) {
      return TransferLeadership(client, arguments.output, arguments.heir);
    };
  });
}

void AddStatus(CLI::App& app, Arguments& arguments) {
  CLI::App* const status = AddCommand(app, "status", "Shows the state of every node, and what is wrong",
                                      {"decree status", "decree status --watch 1", "decree status --json"});
  const CLI::Option* const watch = status
                                       ->add_option("--watch", arguments.watch_seconds,
                                                    "Repeats every so many seconds; every 2 if no number is given")
                                       ->expected(0, 1)
                                       ->default_str("2")
                                       ->check(CLI::Range(0.1, 3600.0));
  status->callback([&arguments, watch] {
    arguments.run = [&arguments, watch](Client& client) {
      return Status(client, arguments.output,
                    watch->count() == 0 ? std::nullopt : std::optional(ToDuration(arguments.watch_seconds)));
    };
  });
}

int Main(int argc, char** argv) {
  FLAGS_logtostderr = true;
  FLAGS_minloglevel = google::ERROR;
  google::InitGoogleLogging(argv[0]);
  Arguments arguments;
  CLI::App app("Reads and writes the keys of a Decree cluster", "decree");
  app.footer(kFooter);
  app.set_version_flag("--version", std::string(kVersion));
  // The scripts' own.
  LayeredOptions all(app, "DECREE_", {"DECREE_BIN"});
  all.Add("endpoints", arguments.endpoints, "HOST:PORT of the nodes, separated by commas")->delimiter(',');
  all.Add("timeout", arguments.timeout_seconds, "Seconds that a request may take, retries included")
      ->check(CLI::Range(0.001, 86'400.0));
  all.AddFlag("json", arguments.output.json, "Print JSON");
  AddPut(app, arguments);
  AddGet(app, arguments);
  AddDelete(app, arguments);
  AddCompareAndSwap(app, arguments);
  AddExport(app, arguments);
  AddImport(app, arguments);
  AddLeader(app, arguments);
  AddOutcome(app, arguments);
  AddStatus(app, arguments);
  const std::optional<int> exit_code = all.Parse(std::vector<std::string>(argv + 1, argv + argc), std::cout, std::cerr);
  if (exit_code.has_value()) return *exit_code;

  ClientOptions options;
  options.endpoints = arguments.endpoints;
  options.timeout = ToDuration(arguments.timeout_seconds);
  StatusOr<std::unique_ptr<Client>> client = Client::Create(std::move(options));
  if (!client.ok()) return Fail(arguments.output, client.status());
  return arguments.run(**client);
}

}  // namespace
}  // namespace decree::rpc::cli

int main(int argc, char** argv) { return decree::rpc::cli::Main(argc, argv); }
