#!/usr/bin/env bash
# format.sh ROOT: fails on every source file below ROOT that is not as clang-format 14 would write it, and says
# how to mend it. Debian 12 has that version; another one may think otherwise and is not asked.
set -euo pipefail

readonly kSkipped=77
root=$1
formatter=$(command -v clang-format-14 || command -v clang-format || true)
if [[ -z $formatter ]] || ! "$formatter" --version | grep -q 'version 14\.'; then
  echo "clang-format 14 is not installed"
  exit "$kSkipped"
fi
cd "$root"
find paxos kv rpc bench tests \( -name '*.h' -o -name '*.cc' \) -print0 |
  xargs -0 -P 2 -n 50 "$formatter" --dry-run --Werror --ferror-limit=1 || {
  echo "To mend it: find paxos kv rpc bench tests -name '*.h' -o -name '*.cc' | xargs clang-format-14 -i"
  exit 1
}
