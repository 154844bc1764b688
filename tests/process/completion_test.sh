#!/usr/bin/env bash
# Completion in bash: what is offered where, and that it knows every command and option that there is.
#   completion_test.sh REPOSITORY DIRECTORY-OF-THE-PROGRAMS
set -euo pipefail

top=$1
decree=$2/decree
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
source "$top/tests/process/expect.sh"
source "$top/deploy/completion/decree.bash"
cd "$work"
touch keys.txt kept.toml

# offered WORD...: what may stand for the last word, in one line.
offered() {
  COMP_WORDS=(decree "$@") COMP_CWORD=$#
  COMPREPLY=()
  _decree
  echo "${COMPREPLY[*]}"
}
offers() {  # EXPECTED WORD...
  local expected=$1
  shift
  [ "$(offered "$@")" = "$expected" ] || fail "\"$*\": \"$(offered "$@")\", not \"$expected\""
}

offers put pu
offers "cas" --endpoints 10.0.0.1 : 7001 ca
offers --from-line import --f
offers "keys.txt kept.toml" import ke
offers "keys.txt" export keys
offers "linearizable stale" get colour --read ""
offers stale export keys.txt --read s
offers kept.toml --config kep
offers transfer leader ""
offers "" get --timeout ""
offers "" get col
offers "" put put ""
offers "--expect --expect-absent --expect-revision --expect-version" cas k v --ex

# Of --help: the options, and the commands.
options_of() { "$decree" "$@" --help | grep -o '^ \+\(-h,\)\?--[a-z-]*' | sed 's/.*--/--/' | sort; }
commands_of() { "$decree" "$@" --help | sed -n '/^Subcommands:/,/^$/s/^  \([a-z]\+\) .*/\1/p' | sort; }
sorted() { tr ' ' '\n' | sort; }

everywhere=$(options_of | grep -v -e --version)
[ -n "$everywhere" ] || fail "no options are found in --help"
diff <(commands_of) <(offered "" | sorted) || fail "commands differ"
diff <(options_of) <(offered -- | sorted) || fail "options without a command differ"
for command in $(commands_of); do
  diff <({ options_of "$command"; echo "$everywhere"; } | sort -u) <(offered "$command" -- | sorted) ||
    fail "options of $command differ"
done
diff <(commands_of leader) <(offered leader "" | sorted) || fail "commands of leader differ"
echo "all as expected"
