#!/usr/bin/env bash
# function_length_test.sh SCRIPT: plants functions of several lengths in a tree of its own, and demands that the
# script objects to those that are too long and to nothing else.
set -euo pipefail

script=$1
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{paxos,kv,rpc,bench,tests}

# body LINES: as many statements.
body() { for ((i = 0; i < $1; ++i)); do echo '  Call("}", R"({)", {1, 2});  // }'; done; }

# expect good|bad NAME, with the file's text on standard input
expect() {
  local want=$1 name=$2 got=good
  cat >"$tree/kv/a.cc"
  "$script" "$tree" >/dev/null || got=bad
  [[ $got == "$want" ]] && return 0
  echo "$name: it says $got, expected $want"
  exit 1
}

{ echo 'void F() {'; body 68; echo '}'; } | expect good "70 lines"
{ echo 'void F() {'; body 69; echo '}'; } | expect bad "71 lines"
{ echo 'namespace n {'; body 100; echo '}'; } | expect good "a namespace"
{ echo 'struct S {'; body 100; echo '};'; } | expect good "a struct"
{ echo 'struct S {'; body 100; echo '  void F() const {'; body 68; echo '  }'; echo '};'; } | expect good "a member"
{ echo 'struct S {'; body 100; echo '  void F() const {'; body 69; echo '  }'; echo '};'; } | expect bad "a long member"
{ echo 'S::S(int a)'; echo '    : a_{a}, b_{1} {'; body 67; echo '}'; } | expect good "a constructor"
{ echo 'S::S(int a)'; echo '    : a_{a}, b_{1} {'; body 68; echo '}'; } | expect bad "a long constructor"
{ echo 'void F()'; echo '{'; echo '  if (a) {'; body 50; echo '  }'; echo '}'; echo 'void G() {'; body 50; echo '}'; } |
  expect good "two functions"
