# For the scripts beside it that try programs as people use them: what a command must end with and say. They
# set $work to a directory of their own.

fail() { echo "FAILED: $*"; exit 1; }

# expect CODE COMMAND...: its output goes to $work/out and $work/err.
expect() {
  local want=$1 got=0
  shift
  "$@" >"$work/out" 2>"$work/err" || got=$?
  [ "$got" -eq "$want" ] || { cat "$work/out" "$work/err"; fail "$* ended with $got, not $want"; }
}

# Of the last command.
says() { grep -q -- "$1" "$work/out" "$work/err" || { cat "$work/out" "$work/err"; fail "no \"$1\""; }; }
never_says() { ! grep -q -- "$1" "$work/out" "$work/err" || { cat "$work/out" "$work/err"; fail "\"$1\""; }; }
