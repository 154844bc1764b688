#!/usr/bin/env bash
# The files that operators install: the example of all options, and the unit for systemd.
#   deploy_test.sh REPOSITORY DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail

top=$1
bin=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source "$top/tests/process/expect.sh"
decreed() { timeout 30 "$bin/decreed" "$@"; }
settings() { grep -E '^(# )?[a-z-]+ = ' "$1"; }
# The options and what is said of each, but not of where it was set.
options() {
  sed -n '/^# The data directory/,$ p' "$1" |
    sed -E -e 's/; not set, and has its default$//' -e '/^# (not set, and has its default|set on the command line)$/d'
}

# ---- The example holds every option, as it is explained and with its default, and can be used as it is ----
expect 0 decreed serve --print-config --data /var/lib/decree
cp "$work/out" "$work/printed"
diff <(options "$work/printed") <(options "$top/deploy/decreed.example.toml") ||
  fail "deploy/decreed.example.toml is not what decreed serve --print-config says"
expect 0 decreed serve --config "$top/deploy/decreed.example.toml" --print-config
diff <(settings "$work/printed" | grep -v '^#') <(settings "$work/out" | grep -v '^#')

# ---- What is printed is what counts, when it is fed back too ----
expect 0 env DECREED_REQUESTS_MAX=77 "$bin/decreed" serve --config "$work/printed" --segment-mib 128 --print-config
says "^requests-max = 77" && says "set in the environment, DECREED_REQUESTS_MAX" && says "^segment-mib = 128"
cp "$work/out" "$work/fed"
expect 0 decreed serve --config "$work/fed" --print-config
diff <(settings "$work/fed") <(settings "$work/out")

# ---- The unit ----
sed "s|/usr/bin/decreed|$bin/decreed|" "$top/deploy/systemd/decreed.service" >"$work/decreed.service"
grep -q "$bin/decreed serve --config /etc/decree/decreed.toml" "$work/decreed.service" || fail "no ExecStart"
expect 0 systemd-analyze verify "$work/decreed.service"
[ ! -s "$work/err" ] || { cat "$work/err"; fail "systemd-analyze verify has something to say"; }
# In tenths; lower is tighter.
expect 0 systemd-analyze security --offline=true --threshold=20 "$work/decreed.service"
echo "all as expected"
