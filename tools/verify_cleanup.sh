#!/bin/sh
# Show whether registry, tmux and processes agree. Changes nothing.
set -u

prog=verify_cleanup.sh
workspace='' all_workspaces='' outside_tmux='' busy='' unregistered='' ignore_unasked='' socket='' name='' source='' user='' min_age='' entry_age='' despite='' version=''

usage() {
    cat <<'TEXT'
Usage: verify_cleanup.sh [OPTION]...
Show whether registry, tmux sessions and Claude processes agree.

      --workspace DIR    the workspace, or the directory that contains it; else
                         $CLAUDE_ORCHESTRATOR_WORKSPACE, else the nearest
                         .agent-workspace from the current directory up
      --all-workspaces   every workspace that the orchestrator knows of
      --outside-tmux     count every Claude outside tmux as leaked
      --despite HOW,...  count a Claude as leaked although these hold it
      --busy             count agent sessions without Claude as zombies
      --unregistered     count idle agent sessions that no entry names as
                         zombies at once, not only after ten minutes
      --ignore-unasked   assume that tmux servers of other users have no session
                         of this registry
  -S, --socket PATH      ask only the tmux server on this socket
      --name NAME        count processes of this name, and no others, as Claude
      --min-age TIME     do not judge processes and sessions younger than this
      --entry-age TIME   do not judge registry entries younger than this
      --proc-source SOURCE
                         read the process table from proc (/proc) or from ps
      --user USER        run as this user, by name or uid; without it, root
                         runs as the owner of the workspace
  -h, --help             show this text
  -V, --version          show the version

Exit status: 0 synchronised; 1 something to clean; 2 the scan failed, or not
everything could be judged.
TEXT
}

fail() {
    printf '%s: %s\n' "$prog" "$1" >&2
    exit 2
}

value() { # OPTION COUNT VALUE
    [ "$2" -ge 2 ] || fail "$1: needs a value; try '$prog --help'"
    [ -n "$3" ] || fail "$1: empty value"
}

whose() { # OPTION: whose option it is, if this script does not have it
    case ${1%%=*} in
        --registry | --tasks | --all | --lock-timeout | --max-size) echo lsagents ;;
        -L* | --label) echo lssessions ;;
        --also-name | --role | --full) echo lsclaude ;;
        --prefix | --stale-after | -q | --quiet) echo agentdiff ;;
        -i | --interactive | --confirmed-by | --grace | --tree | --ghosts | --undo | --recover | --keep-backups | --keep-log | -v | --verbose) echo agentprune ;;
        -[TH] | -[oQ]* | --table | --fields | --list-fields | --no-headings | --color | --filter) echo 'each of the programs' ;;
        --log | --no-log | -y | --yes | -n | --dry-run) echo cleanup_leaked_agents.sh ;;
        *) return 1 ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
        --outside-tmux) outside_tmux=--outside-tmux ;;
        --busy) busy=--busy ;;
        --unregistered) unregistered=--unregistered ;;
        --ignore-unasked) ignore_unasked=--ignore-unasked ;;
        --workspace) value "$1" $# "${2-}"; workspace=$2; shift ;;
        --workspace=?*) workspace=${1#*=} ;;
        --all-workspaces) all_workspaces=--all-workspaces ;;
        -S | --socket) value "$1" $# "${2-}"; socket=$2; shift ;;
        --socket=?*) socket=${1#*=} ;;
        --name) value "$1" $# "${2-}"; name=$2; shift ;;
        --name=?*) name=${1#*=} ;;
        --min-age) value "$1" $# "${2-}"; min_age=$2; shift ;;
        --min-age=?*) min_age=${1#*=} ;;
        --despite) value "$1" $# "${2-}"; despite=$2; shift ;;
        --despite=?*) despite=${1#*=} ;;
        --entry-age) value "$1" $# "${2-}"; entry_age=$2; shift ;;
        --entry-age=?*) entry_age=${1#*=} ;;
        --proc-source) value "$1" $# "${2-}"; source=$2; shift ;;
        --proc-source=?*) source=${1#*=} ;;
        --user) value "$1" $# "${2-}"; user=$2; shift ;;
        --user=?*) user=${1#*=} ;;
        -h | --help) usage; exit 0 ;;
        -V | --version) version=1 ;;
        -?*)
            owner=$(whose "$1") || fail "$1: unknown option; try '$prog --help'"
            fail "$1: an option of $owner, which this script does not take; it composes 'lsagents; lssessions; lsclaude | agentdiff | agentprune', see agentutils(7)"
            ;;
        *) fail "$1: unexpected argument; try '$prog --help'" ;;
    esac
    shift
done

# The programs are beside this script, wherever links to it lead, or where cargo builds
# them, or on PATH.
unset CDPATH
self=$0
case $self in */*) ;; *) self=$(command -v -- "$self" || printf './%s' "$self") ;; esac
while [ -L "$self" ]; do
    target=$(readlink -- "$self" && echo .) || break
    target=${target%??}
    case $target in /*) self=$target ;; *) self=${self%/*}/$target ;; esac
done
here=$(cd -P -- "${self%/*}/" && pwd -P && echo .) || fail "${self%/*}: no such directory"
here=${here%??}
for directory in "$here" "$here/../target/release"; do
    if [ -f "$directory/agentdiff" ] && [ -x "$directory/agentdiff" ]; then
        PATH=$directory:$PATH
        break
    fi
done
hint=''
[ ! -f "$here/../Makefile" ] || hint="; run 'make' in ${here%/*} first"
for program in lsagents lssessions lsclaude agentdiff; do
    command -v "$program" >/dev/null || fail "$program: not found beside this script, in $here/../target/release, or on PATH$hint"
done
if [ -n "$version" ]; then
    version=$(agentdiff --version) || fail 'agentdiff: it does not run'
    printf '%s %s\n' "$prog" "${version##* }"
    exit 0
fi

# A run is for one user. Root runs as the owner of the workspace: otherwise root's rights
# would be used on files that this user can replace at any moment. A symbolic link belongs
# to its own owner.
workspace_from_here() { # sets found
    found=$(pwd -P && echo .) && found=${found%??}
    while [ -n "$found" ] && [ ! -d "$found/.agent-workspace" ]; do
        found=${found%/*}
    done
}

owner() { # PATH: sets owner
    # shellcheck disable=SC2012 # stat(1) is not the same everywhere, and this is a number
    owner=$(LC_ALL=C ls -nd -- "$1" 2>/dev/null | awk 'NR == 1 { print $3 }')
}

[ -n "$workspace$all_workspaces" ] || workspace=${CLAUDE_ORCHESTRATOR_WORKSPACE-}
if [ -z "$user$all_workspaces" ] && [ "$(id -u)" -eq 0 ]; then
    found=$workspace
    [ -n "$found" ] || workspace_from_here
    [ ! -d "$found/.agent-workspace" ] || found=$found/.agent-workspace
    owner "$found"
    if [ -n "$owner" ] && [ "$owner" -ne 0 ]; then
        user=$owner workspace=$found
        printf '%s: %s belongs to uid %s; running as that user\n' "$prog" "$found" "$owner" >&2
    fi
fi

scratch=$(mktemp -d) || fail "could not create a temporary directory"
case $scratch in /*) ;; *) scratch=$PWD/$scratch ;; esac
trap 'rm -rf "$scratch"' EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 141' PIPE
trap 'exit 143' TERM

unset COLUMNS
green='' red='' yellow='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
    escape=$(printf '\033')
    green="${escape}[32m" red="${escape}[31m" yellow="${escape}[33m" plain="${escape}[0m"
fi

# What a Claude of another name has left cannot be told from what others have.
roles=claude,server,child
[ -z "$name" ] || roles=claude

list_agents() { # lsagents' further arguments
    # shellcheck disable=SC2086 # one word or none
    lsagents ${user:+"--user=$user"} ${workspace:+"--workspace=$workspace"} $all_workspaces "$@"
}

scan() { # sets unread: the subjects that were not read completely
    unread=''
    {
        list_agents || unread="$unread agents registries"
        lssessions ${user:+"--user=$user"} ${socket:+"--socket=$socket"} ${source:+"--proc-source=$source"} ||
            unread="$unread sessions"
        lsclaude "--role=$roles" ${user:+"--user=$user"} ${name:+"--name=$name"} ${source:+"--proc-source=$source"} ||
            unread="$unread processes sessions"
    } >"$scratch/scan"
    [ -z "$unread" ] || grep -q '^{"type":"registry"' "$scratch/scan" || fail "the scan failed"
}

compare() { # agentdiff's further arguments
    # shellcheck disable=SC2086 # each is one word or none
    agentdiff ${user:+"--user=$user"} ${min_age:+"--min-age=$min_age"} ${entry_age:+"--entry-age=$entry_age"} \
        ${despite:+"--despite=$despite"} \
        $outside_tmux $busy $unregistered $ignore_unasked "$@" <"$scratch/scan"
}

judge() { # sets end: the end of the findings
    compare >"$scratch/findings" 2>"$scratch/notes"
    end=$(grep '^{"type":"end"' "$scratch/findings") || { cat "$scratch/notes" >&2; fail "could not judge"; }
    case $end in
        *'"complete":true'*) ;;
        *) unread="agents registries sessions processes" ;;
    esac
}

scan
judge
if grep -q 'see --min-age' "$scratch/notes"; then
    # Processes and sessions grow old enough in a moment.
    sleep 2
    scan
    judge
fi

unjudged() { # SUBJECT: how many of them were not judged
    printf '%s\n' "$end" | sed -n 's/.*"unjudged":{\([^}]*\)}.*/,\1,/p' |
        sed -n "s/.*,\"$1\":\([0-9]*\),.*/\1/p"
}

count() { # TYPE
    grep -c "^{\"type\":\"$1\"" "$scratch/scan"
}

claudes() { # all of them, dead ones too
    grep -c '^{"type":"process","scan":"[^"]*","role":"claude"' "$scratch/scan"
}

found() { # KIND
    grep -c "^{\"type\":\"finding\",\"kind\":\"$1\"" "$scratch/findings"
}

with_status() { # STATUS
    grep -cx "$1" "$scratch/statuses"
}

agents() { # FIELDS FILTER
    list_agents -T --no-headings -o "$1" -Q "$2" 2>"$scratch/errors" || [ -n "$unread" ] ||
        { cat "$scratch/errors" >&2; fail "could not read the registry"; }
}

exec 3>&1 >"$scratch/shown"
printf 'Current System State:\n'
printf '  Claude processes running: %s\n' "$(($(claudes) - $(found defunct_process)))"
printf '  Tmux sessions active: %s\n\n' "$(count session)"

agents format,agents,counters.active_agents.computed,counters.total_agents_spawned.stored,counters.active_agents.stored \
    '.type == "registry"' >"$scratch/registries"
agents status '.type == "agent"' >"$scratch/statuses"
while read -r format total active total_stored active_stored; do
    case $format in
        json) printf 'Registry State:\n' ;;
        *) printf 'Registry State (database):\n' ;;
    esac
    printf '  Total agents: %s\n' "$total"
    printf '  Active: %s\n' "$active"
    printf '  Working: %s\n' "$(with_status working)"
    printf '  Completed: %s\n' "$(with_status completed)"
    printf '  Terminated: %s\n' "$(with_status terminated)"
    if [ "$format" = json ]; then
        printf '  Without a status: %s\n' "$(with_status -)"
        printf '  Metadata total_agents_spawned: %s\n' "$total_stored"
        printf '  Metadata active_agents: %s\n' "$active_stored"
    else
        printf '  Failed: %s\n' "$(with_status failed)"
    fi
    echo
done <"$scratch/registries"

printf 'Active agents:\n'
agents id,status '.type == "agent" and .active' >"$scratch/active"
if [ -s "$scratch/active" ]; then sed 's/^/  /' "$scratch/active"; else echo '  none'; fi

printf '\nConsistency Check:\n'
status=0
pass() { printf '  %s✓ PASS%s: %s\n' "$green" "$plain" "$1"; }
warn() { printf '  %s⚠ WARNING%s: %s\n' "$yellow" "$plain" "$1"; }
recent=$(found recent_session)
check() { # COUNT SUBJECTS WHAT_IS_WELL WHAT_IS_WRONG
    missing=0 why=''
    for subject in $2; do
        number=$(unjudged "$subject")
        missing=$((missing + ${number:-0}))
        case " $unread " in *" $subject "*) why='not all could be judged' ;; esac
    done
    [ "$missing" -eq 0 ] || why="${why:-not judged: $missing}"
    # Sessions that no entry names become zombies when they have been idle for long enough.
    case " $2 " in *' sessions '*) [ "$recent" -eq 0 ] || why="${why:+$why; }not known yet: $recent" ;; esac
    if [ "$1" -gt 0 ]; then
        printf '  %s✗ FAIL%s: %s\n' "$red" "$plain" "$4"
        status=1
    elif [ -n "$why" ]; then
        printf '  %s? UNKNOWN%s: %s (%s)\n' "$yellow" "$plain" "$3" "$why"
    else
        pass "$3"
    fi
}
ghosts=$(found ghost_agent) zombies=$(found zombie_session) leaks=$(found leaked_process)
check "$((ghosts + zombies))" 'agents sessions' 'Registry and tmux sessions synchronized' \
    "Registry and tmux sessions differ"
check "$ghosts" agents 'No ghost agents in registry' "Ghost agents in registry: $ghosts"
check "$(found count_mismatch)" registries 'Active agent count matches reality' \
    'Registry counts differ from its entries'
check "$leaks" processes 'No leaked Claude processes' "Leaked Claude processes: $leaks"
servers=$(found leaked_server)
check "$servers" processes 'No leaked MCP servers' "Leaked MCP servers: $servers"
check "$zombies" sessions 'No zombie sessions' "Zombie sessions: $zombies"
[ "$recent" -eq 0 ] ||
    compare -T --no-headings -o target,reason -Q '.kind == "recent_session"' 2>/dev/null | sed 's/^/    /'
all_unjudged=0
for subject in agents registries sessions processes; do
    number=$(unjudged "$subject")
    all_unjudged=$((all_unjudged + ${number:-0}))
done
while read -r kind what; do
    number=$(found "$kind")
    [ "$number" -eq 0 ] || warn "$what: $number"
done <<'KINDS'
untracked_process Claude processes outside tmux that something holds
leftover_process Other processes that a Claude left running when it ended
busy_session Agent sessions without Claude that are busy
kept_agent Entries without a session that the keep file keeps
orphan_session Agent sessions that no registry entry names
defunct_process Dead Claude processes that their parents have not reaped
KINDS
while read -r note; do
    warn "${note#agentdiff: }"
done <"$scratch/notes"
[ "$status" -eq 0 ] || printf '\nRun cleanup_leaked_agents.sh to clean up.\n'
# What is too young is unknown too, but it does not hide what is surely wrong.
young=$(printf '%s\n' "$end" | sed -n 's/.*"too_young":\([0-9]*\).*/\1/p')
if [ -n "$unread" ] || [ "$all_unjudged" -gt "${young:-0}" ]; then
    status=2
elif [ "$status" -eq 0 ] && [ "$((all_unjudged + recent))" -gt 0 ]; then
    status=2
fi
exec >&3
cat "$scratch/shown" 2>"$scratch/notes"
case $? in
    0) exit "$status" ;;
    141) exit 141 ;;
    *) fail "standard output cannot be written" ;;
esac
