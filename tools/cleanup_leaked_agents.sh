#!/bin/sh
# Clean up what an agent orchestrator leaks: Claude processes, tmux sessions and registry
# entries. A dialogue around lsagents, lssessions, lsclaude, agentdiff and agentprune:
# what it shows is what it acts on, and agentprune verifies each item again before it acts.
set -u

prog=cleanup_leaked_agents.sh
yes='' dry_run='' workspace='' all_workspaces='' outside_tmux='' busy='' unregistered='' ignore_unasked='' socket='' name='' source='' user='' min_age='' entry_age='' despite='' version='' log='' no_log=''

usage() {
    cat <<'TEXT'
Usage: cleanup_leaked_agents.sh [OPTION]...
Show what the orchestrator has leaked, ask, and clean it up.

  -y, --yes              do not ask
  -n, --dry-run          show everything, change nothing, even with --yes
      --workspace DIR    the workspace, or the directory that contains it; else
                         $CLAUDE_ORCHESTRATOR_WORKSPACE, else the nearest
                         .agent-workspace from the current directory up
      --all-workspaces   every workspace that the orchestrator knows of
      --outside-tmux     end every Claude outside tmux, even if something
                         holds it
      --despite HOW,...  end a Claude although these hold it, such as log
      --busy             end agent sessions without Claude, even busy ones
      --unregistered     end idle agent sessions that no entry names at once,
                         not only after ten minutes
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
      --log FILE         append what is done to this file; else to a new one in
                         $XDG_STATE_HOME/agentutils (~/.local/state/agentutils),
                         where the newest 20 are kept
      --no-log           keep no log
  -h, --help             show this text
  -V, --version          show the version

Exit status: 0 clean, or cleaned; 1 aborted, or something could not be cleaned;
2 the scan failed and nothing was changed, or something could not be judged.
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
        *) return 1 ;;
    esac
}

while [ $# -gt 0 ]; do
    case $1 in
        --yes | -y) yes=1 ;;
        --dry-run | -n) dry_run=1 ;;
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
        --log) value "$1" $# "${2-}"; log=$2; shift ;;
        --log=?*) log=${1#*=} ;;
        --no-log) no_log=1 ;;
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
for program in lsagents lssessions lsclaude agentdiff agentprune; do
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

# What a Claude of another name has left cannot be told from what others have.
roles=claude,server,child
[ -z "$name" ] || roles=claude

list_agents() { # lsagents' further arguments
    # shellcheck disable=SC2086 # one word or none
    lsagents ${user:+"--user=$user"} ${workspace:+"--workspace=$workspace"} $all_workspaces "$@"
}

scan() {
    {
        list_agents &&
            lssessions ${user:+"--user=$user"} ${socket:+"--socket=$socket"} ${source:+"--proc-source=$source"} &&
            lsclaude "--role=$roles" ${user:+"--user=$user"} ${name:+"--name=$name"} ${source:+"--proc-source=$source"}
    } >"$scratch/scan" || fail "the scan failed; nothing was changed"
}

judge() { # agentdiff's further arguments
    # shellcheck disable=SC2086 # each is one word or none
    agentdiff ${user:+"--user=$user"} ${min_age:+"--min-age=$min_age"} ${entry_age:+"--entry-age=$entry_age"} \
        ${despite:+"--despite=$despite"} \
        $outside_tmux $busy $unregistered $ignore_unasked "$@" <"$scratch/scan"
}

find_all() { # judges everything that was scanned
    judge >"$scratch/findings" 2>"$scratch/notes" || [ $? -eq 1 ] || {
        cat "$scratch/notes" >&2
        fail "could not judge; nothing was changed"
    }
}

unjudged() { # sets unjudged: how many records were not judged, less those that are too young
    end=$(grep '^{"type":"end"' "$scratch/findings")
    unjudged=0
    for number in $(printf '%s\n' "$end" | sed -n 's/.*"unjudged":{\([^}]*\)}.*/\1/p' | tr -cs 0-9 ' '); do
        unjudged=$((unjudged + number))
    done
    young=$(printf '%s\n' "$end" | sed -n 's/.*"too_young":\([0-9]*\).*/\1/p')
    unjudged=$((unjudged - ${young:-0}))
}

count() { # TYPE
    grep -c "^{\"type\":\"$1\"" "$scratch/scan"
}

running() { # living Claude processes and their memory, by a scan of its own
    lsclaude --role claude ${user:+"--user=$user"} ${name:+"--name=$name"} ${source:+"--proc-source=$source"} \
        -Q '.type == "process" and .state != "Z" and .state != "X"' >"$scratch/running" || { echo unknown; return; }
    # A quote within a string is escaped, so this is the field.
    sed -n 's/.*[^\\]"rss_bytes":\([0-9]*\),.*/\1/p' "$scratch/running" | awk '
        { bytes += $1 }
        END {
            split("KiB MiB GiB TiB", unit)
            for (size = bytes / 1024; size >= 1024 && at < 3; at++) size /= 1024
            printf "%d", NR
            if (NR) printf " (%.1f %s)", size, unit[at + 1]
            print ""
        }'
}

registry() { # sets agents, active and registries
    agents=0 active=0 registries=''
    list_agents -T --no-headings -Q '.type == "registry"' \
        -o format,agents,counters.active_agents.computed >"$scratch/counters" || return
    while read -r format each_agents each_active; do
        # The rows of a database stay as history: what counts there are those not over.
        [ "$format" = json ] || each_agents=$each_active
        registries="$registries $format"
        agents=$((agents + each_agents)) active=$((active + each_active))
    done <"$scratch/counters"
}

acts() { # whether there is anything to do
    grep -q '"action":"' "$scratch/findings"
}

plan() { # what agentdiff -T says; it leaves room for the question
    COLUMNS=$columns LINES=$lines judge -T >"$scratch/plan" 2>/dev/null ||
        [ $? -eq 1 ] || fail "could not show the findings; nothing was changed"
    whole=''
    if grep -q '^All: ' "$scratch/plan" && whole=$(mktemp "${TMPDIR:-/tmp}/cleanup-plan.XXXXXX"); then
        COLUMNS='' LINES='' judge -T >"$whole" 2>/dev/null
    fi
    # That there is nothing to do is said below.
    awk -v whole="$whole" '
        /^(Nothing to clean up|No findings|No action among these)\./ { exit }
        /^All: / { if (whole) print "The whole plan: " whole; next }
        { print }' "$scratch/plan"
}

shown() { # prints what was collected; if it cannot be printed, nothing is done
    exec >&3
    cat "$scratch/shown" 2>"$scratch/errors"
    case $? in
        0) exec >"$scratch/shown" ;;
        141) exit 141 ;;
        *) fail "standard output cannot be written; nothing was changed" ;;
    esac
}

exec 3>&1 >"$scratch/shown"
# The plan is collected before it is shown. It fits the screen, if there is one, with the
# question; otherwise it has no limit.
width=${COLUMNS-} height=${LINES-}
unset COLUMNS LINES
if [ -t 3 ]; then
    size=$(stty size <&3 2>/dev/null)
    width=${width:-${size#* }} height=${height:-${size% *}}
fi
number() { # TEXT: prints it if it is the size of a screen
    case $1 in
        '' | 0* | *[!0-9]* | ? | ??????*) ;;
        *) printf %s "$1" ;;
    esac
}
columns=$(number "$width") lines=$(number "$height")
scan
find_all
rule='=================================================='
cat <<TEXT
$rule
  Cleanup of leaked agents
$rule

This script will:
  1. Kill leaked Claude processes (in no tmux session, and nothing holds them),
     and MCP servers whose Claude is gone
  2. Remove ghost entries from the registry, and end zombie sessions
  3. Update registry counts to match reality

TEXT
shown

if grep -q 'see --min-age' "$scratch/notes"; then
    echo 'Some are too young to judge; scanning again in 2 seconds.'
    shown
    sleep 2
    scan
    find_all
fi
unjudged
# Each step acts on its own part of what is shown now.
for part in process session; do
    judge -Q ".action == \"kill_$part\"" >"$scratch/$part" 2>/dev/null
done
judge -Q '.action == "remove_entry" or .action == "terminate_entry" or .action == "set_counters"' >"$scratch/registry" 2>/dev/null
registry || fail "could not read the registry; nothing was changed"
agents_before=$agents

printf 'Current state:\n'
printf '  Claude processes running: %s\n' "$(running)"
printf '  Tmux sessions active: %s\n' "$(count session)"
printf '  Registry agents: %s\n\n' "$agents"
if [ -s "$scratch/notes" ]; then
    printf 'Not judged:\n'
    sed 's/^agentdiff: /  /' "$scratch/notes"
    echo
fi
printf 'What will be cleaned:\n'
plan
acts && [ -z "$dry_run$yes" ] || echo
shown
exec >&3 3>&-

if ! acts; then
    if [ "$unjudged" -gt 0 ]; then
        echo 'Nothing was found to clean up, but not everything could be judged.'
        exit 2
    elif [ "${young:-0}" -gt 0 ]; then
        echo 'Nothing to clean up yet: some are too young to judge.'
    elif grep -q '^{"type":"finding","kind":"recent_session"' "$scratch/findings"; then
        echo 'Nothing to clean up yet: some sessions were active until just now.'
    else
        echo 'Nothing to clean up.'
    fi
    exit 0
fi
if [ -n "$dry_run" ]; then
    echo 'Dry run: nothing was changed.'
    exit 0
fi
if [ -z "$yes" ]; then
    printf 'Do you want to proceed? (yes/no): '
    answer=''
    read -r answer || :
    case $answer in
        [Yy] | [Yy][Ee])
            printf 'Type yes in full: '
            read -r answer || :
            ;;
    esac
    if [ "$answer" != yes ]; then
        echo 'Aborted.'
        exit 1
    fi
    echo
fi

# From here on, the script runs to its end even if its output is no longer read.
trap '' PIPE
status=0
keep_log=''
: >"$scratch/said"
[ -n "$log$no_log" ] || keep_log=cleanup-$(date -u +%Y%m%dT%H%M%SZ)-$$
act() { # PART
    : >"$scratch/$1.done"
    : >"$scratch/errors"
    result=0
    grep -q '"action":"' "$scratch/$1" || return 0
    agentprune ${user:+"--user=$user"} --yes ${source:+"--proc-source=$source"} \
        ${log:+"--log=$log"} ${keep_log:+"--keep-log=$keep_log"} \
        -T --no-headings -o action,finding.kind,result,target,reason <"$scratch/$1" \
        >"$scratch/$1.done" 2>"$scratch/errors"
    result=$?
    [ "$result" -eq 0 ] || status=1
    cat "$scratch/errors" >>"$scratch/said"
}

rows() { # PART ACTION: not aligned, because paths of registries are long
    sed -n "/^$2 /{ s/^$2  *[a-z_]*  *//; s/   */  /g; s/^/  /; p; }" "$scratch/$1.done"
    if [ "$result" -ge 2 ]; then
        cat "$scratch/errors" >&2
        fail "stopped at this step; what is not listed above as done was not done"
    fi
}

printf 'Step 1: Live agents, verified again before each action below\n'
kept=$(($(count session) - $(grep -c '"action":"kill_session"' "$scratch/findings")))
if [ "$kept" -eq 1 ]; then echo '  1 session is kept'; else printf '  %s sessions are kept\n' "$kept"; fi
printf 'Step 2: Killing leaked Claude processes and MCP servers\n'
act process
rows process kill_process
printf 'Step 3: Killing zombie tmux sessions\n'
act session
rows session kill_session
case $registries in
    *json*) printf 'Step 4: Removing ghost entries from the registry\n' ;;
    *) printf 'Step 4: Ending ghost entries in the database\n' ;;
esac
act registry
rows registry remove_entry
rows registry terminate_entry
sed -n 's/^agentprune: backup of/  backup of/p' "$scratch/errors"
printf 'Step 5: Updating registry counts\n'
rows registry set_counters

killed() { # PART KIND
    grep -c "^kill_$1  *$2  *done" "$scratch/$1.done"
}

quoted() { # TEXT: as a word of a shell
    case $1 in
        *[!A-Za-z0-9_./~+,:@%=-]*) printf %s "$1" | sed "s/'/'\\\\''/g; 1s/^/'/; \$s/\$/'/" ;;
        *) printf %s "$1" ;;
    esac
}

sessions() { # a server whose sessions were all zombies has ended and no longer answers
    lssessions ${user:+"--user=$user"} ${socket:+"--socket=$socket"} ${source:+"--proc-source=$source"} >"$scratch/sessions" 2>/dev/null || [ -n "$socket" ] || fail "the scan after the cleanup failed"
    grep -c '^{"type":"session"' "$scratch/sessions"
}

registry || fail "could not read the registry after the cleanup"
printf '\n%s\nSummary:\n' "$rule"
printf '  Claude processes killed: %s\n' "$(killed process leaked_process)"
printf '  MCP server processes killed: %s\n' "$(killed process leaked_server)"
printf '  Tmux sessions killed: %s\n' "$(killed session zombie_session)"
sed -n 's/^agentprune: .*; memory returned: /  Memory returned: /p' "$scratch/said"
printf '  Claude processes remaining: %s\n' "$(running)"
printf '  Tmux sessions remaining: %s\n' "$(sessions)"
printf '  Registry agents before: %s\n' "$agents_before"
printf '  Registry agents after: %s\n' "$agents"
printf '  Active agents count: %s\n' "$active"
[ "$status" -eq 0 ] || printf '  Not everything could be cleaned: see the steps above.\n'
[ "$unjudged" -le 0 ] || {
    printf '  Not everything could be judged: see above.\n'
    [ "$status" -ne 0 ] || status=2
}
[ -n "$log" ] || log=$(sed -n 's/^agentprune: log: //p' "$scratch/said" | head -n 1)
[ -z "$log" ] || printf '  Log: %s\n' "$log"
# What has been ended does not come back.
undo=''
if [ -n "$log" ] && grep -q -e '^remove_entry  *[a-z_]*  *done' -e '^terminate_entry  *[a-z_]*  *done' "$scratch/registry.done"; then
    undo="Undo the changes of registries: agentprune --undo --yes ${user:+--user $user }$(quoted "$log")
"
fi
printf '%s\nRun verify_cleanup.sh to check the result.\n%s' "$rule" "$undo" ||
    fail "standard output cannot be written; the cleanup was done"
exit "$status"
