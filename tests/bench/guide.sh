#!/bin/sh
# The way of the cleanup guide, with what every machine has: guide.sh scan | clean
# It looks for processes, sessions and registry entries that are left over; told to clean,
# it ends and removes them.
#
# It is made to work: it keeps to one tmux socket and one name for Claude, it kills only
# what is Claude by its short name and below no pane's process, and its Python runs.
# Environment: NAME, SOCKET, REGISTRY, PYTHON, and SNIPPETS, the folder of this file.
set -u

# shellcheck disable=SC2009 # that is the guide's way
claude=$(ps aux | grep "$NAME" | grep -v grep | awk '{ printf " %s ", $2 }')
preserved=' '
zombies=''
for session in $(tmux -S "$SOCKET" ls | cut -d: -f1); do
    with_claude=''
    for pane in $(tmux -S "$SOCKET" list-panes -s -t "=$session" -F '#{pane_pid}'); do
        for pid in "$pane" $(pgrep -P "$pane"); do
            preserved="$preserved$pid "
            case $claude in
                *" $pid "*) with_claude=yes ;;
            esac
        done
    done
    case $session:$with_claude in
        agent_*:) zombies="$zombies $session" ;;
    esac
done

for pid in $claude; do
    case $preserved in
        *" $pid "*) continue ;;
    esac
    if [ "$(ps -p "$pid" -o comm=)" = "$NAME" ]; then
        echo "process $pid"
        [ "$1" = scan ] || kill -9 "$pid"
    fi
done
for session in $zombies; do
    echo "session $session"
    [ "$1" = scan ] || tmux -S "$SOCKET" kill-session -t "=$session"
done
if [ "$1" = scan ]; then
    # shellcheck disable=SC2086 # words
    "$PYTHON" "$SNIPPETS/ghosts.py" "$REGISTRY" "$SOCKET" $zombies
else
    "$PYTHON" "$SNIPPETS/guide.py" "$REGISTRY" "$SOCKET"
fi
