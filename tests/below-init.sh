#!/bin/sh
# Runs a program below a process that is known to take in orphans: below-init.sh PROGRAM...
# That is tini, by whatever name: /proc shows its executable, ps the name it was started by,
# and by ps only systemd is known. Without tini, the init of the machine must do.
# below-init.sh --needs prints what must be installed where process 1 will not do;
# below-init.sh --if-needed PROGRAM... uses it only there.
needs() {
    case $(ps -o comm= -p 1 2>/dev/null) in
        '' | *systemd | *launchd | *init | *sh) return 1 ;;
    esac
}
case $1 in
    --needs)
        if needs; then echo tini; fi
        exit 0
        ;;
    --if-needed)
        shift
        needs || exec "$@"
        ;;
esac
init=$(command -v tini) || exec "$@"
link=$(dirname "$1")/systemd
ln -sf "$init" "$link.$$" && mv "$link.$$" "$link" || exit 2
exec "$link" -s -- "$@"
