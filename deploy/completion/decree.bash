# Completion of `decree` in bash. Installed where bash finds it by itself; else: source this file.

_decree() {
  local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local options='--help --config --endpoints --json --timeout'
  local commands=' cas del export get import leader outcome put status '
  local command='' is_file='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    [[ $commands != *" ${COMP_WORDS[i]} "* ]] || { command=${COMP_WORDS[i]}; break; }
  done
  local words=''
  case $command in
    '') words=$commands options+=' --version' ;;
    cas) options+=' --expect --expect-absent --expect-revision --expect-version' ;;
    export) is_file=yes options+=' --prefix --read --revision' ;;
    get) options+=' --read' ;;
    import) is_file=yes options+=' --from-line' ;;
    leader) words=transfer ;;
    outcome) options+=' --settle' ;;
    status) options+=' --watch' ;;
  esac
  case $previous in
    --read) words='linearizable stale' options='' is_file='' ;;
    --config) words='' options='' is_file=yes ;;
    # Anything may follow.
    --endpoints | --timeout | --expect | --expect-revision | --expect-version | --from-line | --prefix | --revision)
      return ;;
  esac
  if [[ $word == -* ]]; then
    words=$options is_file=''
  fi
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word"; [ -z "$is_file" ] || compgen -f -- "$word")
}
complete -o filenames -F _decree decree
