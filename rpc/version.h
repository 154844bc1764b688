#pragma once
// The version of this build, as `--version` and the status answer tell it.

namespace decree::rpc {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace decree::rpc
