#!/bin/sh
# Runs a command below a process that is known to take in orphans: below-init.sh COMMAND...
# Where there is no tini, the init of the machine must be one.
if command -v tini >/dev/null 2>&1; then
    exec tini -s -- "$@"
fi
exec "$@"
