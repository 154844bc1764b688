#!/usr/bin/env bash
# The programs as people use them: cluster.sh and every command of decree, with exit codes and bytes.
#   command_line_test.sh REPOSITORY DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail

top=$1
export DECREE_BIN=$2
work=$(mktemp -d)
port=$((20000 + RANDOM % 20000))
cluster() { "$top/deploy/cluster.sh" --data "$work/cluster" "$@"; }
trap 'cluster wipe || true; rm -rf "$work"' EXIT
decree() { timeout 30 "$DECREE_BIN/decree" "$@"; }
source "$top/tests/process/expect.sh"

expect 0 cluster up --base-port "$port"
says "The cluster is up"
DECREE_ENDPOINTS=$(tail -n 1 "$work/out" | sed 's/.* //')
export DECREE_ENDPOINTS

# ---- Keys ----
expect 0 decree put colour blue && says "revision 2, version 1"
expect 0 decree get colour && [ "$(cat "$work/out")" = blue ]
expect 0 decree get colour --read stale
expect 3 decree get nothing && says "no such key"
expect 0 decree cas colour green --expect blue && says "version 2"
expect 4 decree cas colour red --expect blue && says "version 2" && says green
expect 4 decree cas nothing x --expect-version 1 && says "no such key"
expect 0 decree cas colour red --expect-version 2
expect 0 decree cas colour black --expect-revision 4
expect 0 decree cas fresh x --expect-absent
expect 4 decree cas fresh y --expect-absent
expect 0 decree del colour
expect 3 decree del colour

# ---- Bytes in, the same bytes out ----
head -c 1048576 /dev/urandom >"$work/bytes"
expect 0 decree put bytes - <"$work/bytes"
decree get bytes | cmp - "$work/bytes" || fail "bytes do not come back as they were"
expect 0 decree put empty ""
expect 0 decree get empty && [ ! -s "$work/out" ]
head -c 1048577 /dev/zero >"$work/bytes"
expect 1 decree put bytes - <"$work/bytes" && says "1048577 bytes; the limit is 1048576"
expect 1 decree put "" x && says "the key is empty"
expect 0 decree put bytes kept
for nothing in "put bytes -" "cas bytes - --expect kept"; do
  expect 1 decree $nothing <"$work" && says "standard input cannot be read"
  expect 1 decree $nothing <&- && says "standard input cannot be read"
done
expect 0 decree get bytes && [ "$(cat "$work/out")" = kept ]

# ---- JSON ----
expect 0 decree put colour blue --json && says '"version":1'
expect 0 decree get colour --json && says '"value":"blue"' && says '"read":"linearizable"'
expect 3 decree get nothing --json && says '"found":false'
expect 4 decree cas colour red --expect x --json && says '"swapped":false'
expect 0 decree status --json && says '"role":"leader"'
expect 1 decree put "" x --json && says '"may_have_happened":false'

# ---- Import and export ----
for ((i = 10000; i < 12000; i++)); do printf 'key%d\tvalue %d\\twith\\\\\\x01\\n escapes\n' $i $i; done >"$work/lines"
expect 0 decree import "$work/lines" && says "imported 2000 keys"
cut -f1 "$work/lines" | xargs timeout 30 "$DECREE_BIN/decree" get | cmp - "$work/lines" ||
  fail "what was imported does not come back"
expect 0 decree export "$work/keys" --prefix key && says "exported 2000 keys"
grep -v '^#' "$work/keys" | cmp - "$work/lines" || fail "what was exported is not what was imported"
[ "$(tail -n 1 "$work/keys")" = "# end of export, keys: 2000" ] || fail "the export has no end"
revision=$(sed -n '1s/.*revision \([0-9]*\),.*/\1/p' "$work/keys")
expect 0 decree import "$work/keys" && says "imported 2000 keys"
# As it was before that.
expect 0 decree export - --prefix key --revision "$revision" && cmp "$work/out" "$work/keys"
expect 1 decree export - --revision 1000000 && says "is not made yet"
# A part is gone on with, behind its last whole line, at its revision; not with that of another export.
expect 0 decree del key10999
expect 0 decree put key10500 changed
head -n 1000 "$work/keys" >"$work/again.part"
printf 'key10999\tcut of' >>"$work/again.part"
expect 1 decree export "$work/again" && says 'left of another export: revision [0-9]*, prefix "key"'
expect 1 decree export "$work/again" --prefix key --revision 1 && says "left of another export"
expect 0 decree export "$work/again" --prefix key && says "behind 999 keys" && says "exported 2000 keys"
cmp "$work/again" "$work/keys" || fail "an export that was gone on with differs"
[ ! -e "$work/again.part" ] || fail "the part is still there"
expect 0 decree export "$work/again" --prefix key --json --read stale && says '"exported":1999'
expect 1 decree export "$work/absent/keys" && says "absent/keys.part cannot be opened"
# One that was cut off is not taken for a whole one.
head -n -1 "$work/keys" >"$work/cut"
expect 1 decree import "$work/cut" && says "it was cut off"
sed 5d "$work/keys" >"$work/cut"
expect 1 decree import "$work/cut" && says "had 2000 keys, and the file has 1999"
# What was interrupted goes on from the line that is named.
printf 'a\t1\n# a note\nno tab\nc\t3\n' >"$work/lines"
expect 1 decree import "$work/lines" && says "line 3" && says "1 keys were imported" && says "--from-line 3"
sed -i 's/no tab/b\t2/' "$work/lines"
expect 0 decree import "$work/lines" --from-line 3 && says "imported 2 keys"
expect 0 decree get b && [ "$(cat "$work/out")" = 2 ]
expect 1 decree import "$work/absent" && says "cannot be read"
expect 0 decree import - <<<$'b\t2'
expect 1 decree import - <"$work" && says "line 1: cannot be read"
mkfifo "$work/pipe"
"$DECREE_BIN/decree" import - <"$work/pipe" >"$work/import.out" 2>"$work/import.err" &
importing=$!
exec 9>"$work/pipe"
printf 'd\t1\n' >&9
until decree get d >/dev/null 2>&1; do sleep 0.05; done
kill -INT "$importing"
# It sees the signal when the next line comes; which line that is is a matter of chance.
trap '' PIPE
while kill -0 "$importing" 2>/dev/null; do
  printf 'd\t1\n' >&9 2>/dev/null || true
  sleep 0.05
done
exec 9>&-
trap - PIPE
wait "$importing" && { cat "$work"/import.*; fail "an interrupted import ended with 0"; }
cp "$work/import.out" "$work/out" && cp "$work/import.err" "$work/err"
imported=$(sed 's/.*(\([0-9]*\) keys were imported.*/\1/' "$work/err")
says "interrupted" && says "import - --from-line $((imported + 1)))"

# ---- Every example of every --help is a command that there is ----
cd "$work"
for command in put get del cas export import leader outcome status; do
  "$DECREE_BIN/decree" "$command" --help | sed '1,/^Examples:/d; s/^  //' >"$work/examples"
  [ -s "$work/examples" ] || fail "$command --help has no examples"
  while read -r example; do
    got=0
    PATH=$DECREE_BIN:$PATH timeout 2 bash -c "$example" >"$work/out" 2>"$work/err" </dev/null || got=$?
    [ "$got" -ne 2 ] || { cat "$work/err"; fail "$example is refused"; }
  done <"$work/examples"
done

# ---- Leader and outcome ----
expect 0 decree leader transfer --timeout 15 && says " leads"
expect 1 decree leader transfer 9 --timeout 15 && says "n9 is no voting member"
expect 1 decree outcome 1 1 --timeout 15 && says "the session has expired or was closed"

# ---- Wrong use ----
expect 2 decree
expect 2 decree bogus && says bogus
expect 2 decree put colour
expect 2 decree get colour --read sometimes && says sometimes
expect 2 decree get colour --timeout never && says "--timeout is set on the command line"
expect 1 decree get colour --endpoints nowhere && says "HOST:PORT"
expect 1 decree get colour --endpoints 127.0.0.1:1 --timeout 0.5 && says "cannot connect to 127.0.0.1:1"
expect 1 decree get colour --endpoints "127.0.0.1:$((port + 100))" && says "this port is for other nodes; clients call 127.0.0.1:$port"

# ---- cluster.sh ----
expect 0 cluster status && says leader
expect 0 decree status --endpoints "$DECREE_ENDPOINTS,127.0.0.1:1" && says "127.0.0.1:1 .*cannot connect" &&
  says LAG && never_says problem
expect 0 decree status --json && says '"lag":0' && says '"disk_free_bytes":[1-9]' && says '"problems":\[\]'
expect 1 decree status --endpoints 127.0.0.1:1 && says "cannot connect"
expect 124 timeout 1 "$DECREE_BIN/decree" status --watch 0.3 &&
  [ "$(grep -c ENDPOINT "$work/out")" -ge 2 ]
expect 2 decree status --watch 0 && says "--watch"
expect 1 cluster up --nodes 5 && says "holds a cluster of 3 nodes"
expect 1 cluster kill 7 && says "there is no node 7"
expect 0 cluster pause 1
expect 0 cluster resume 1
expect 0 cluster kill 2
expect 1 cluster kill 2 && says "not running"
expect 0 cluster start 2
expect 0 cluster stop 3
expect 0 decree put colour grey --timeout 15
expect 0 cluster up
expect 0 cluster logs 1
expect 0 cluster pid 1 && grep -q "^decreed" "/proc/$(cat "$work/out")/comm"

# Restarted one by one under load, with new options; not one request fails.
cat >"$work/cluster.toml" <<TOML
nodes = 3 # as before
[decreed]
requests-max = 4321
TOML
# The import has 256 puts in flight all the time, and ends at the first that fails.
for ((i = 0; ; i++)); do
  printf 'rolled%d\t%d\n' $((i % 100)) "$i" || break
  [ ! -e "$work/is_rolled" ] || break
done | "$DECREE_BIN/decree" import - >"$work/writes" 2>&1 &
writing=$!
expect 0 decree put shape round
while [ ! -e "$work/is_rolled" ]; do "$DECREE_BIN/decree" get shape || exit 1; done >"$work/reads" 2>&1 &
reading=$!
expect 0 cluster roll --config "$work/cluster.toml" && says "node 1 is back" && says "node 3 is back"
touch "$work/is_rolled"
wait "$writing" || fail "a put failed while the nodes were restarted: $(cat "$work/writes")"
wait "$reading" || fail "a get failed while the nodes were restarted: $(tail -n 1 "$work/reads")"
[ "$(sed 's/[^0-9]//g' "$work/writes")" -gt 1000 ] || fail "too few puts for a load: $(cat "$work/writes")"
expect 0 cluster pid 2
tr '\0' ' ' <"/proc/$(cat "$work/out")/cmdline" | grep -q -- "--config $work/cluster/decreed.toml" ||
  fail "the options of the file are not in force"
printf '\nnode = 3\n' >"$work/cluster.toml"
expect 1 cluster roll --config "$work/cluster.toml" && says "line 2" && says "allowed are nodes and base-port"
printf '[decreed]\nrequests-max = 0\n' >"$work/cluster.toml"
expect 1 cluster roll --config "$work/cluster.toml" && says "requests-max" && says "line 2"
expect 1 cluster up --config "$work/absent" && says "cannot be read"

expect 0 cluster down
expect 1 decree get colour --timeout 0.5
mkdir "$work/elsewhere"
expect 1 env DECREE_BIN="$work/elsewhere" "$top/deploy/cluster.sh" status && says "build first"
"$DECREE_BIN/decree-echo" "127.0.0.1:$((port + 101))" &
taken=$!
until (exec 3<>"/dev/tcp/127.0.0.1/$((port + 101))") 2>/dev/null; do sleep 0.05; done
expect 1 cluster up && says "node 2 needs port $((port + 101)), and another process has it"
kill "$taken"
wait "$taken" || true
expect 0 cluster up
expect 0 decree get colour --timeout 15 && [ "$(cat "$work/out")" = grey ]
expect 0 cluster wipe
[ ! -e "$work/cluster" ] || fail "wipe leaves something behind: $(ls "$work/cluster")"
echo "all as expected"
