#!/bin/sh
# Tries the aarch64 tarball on this processor, under qemu: emulated.sh DIST
# A small world in a directory, with a tmux server of its own: a ghost entry is found and ended,
# an entry with a session stays.
set -eu

dist=$(cd "$1" && pwd)
qemu=$(command -v qemu-aarch64-static || command -v qemu-aarch64 || true)
if [ -z "$qemu" ] || ! command -v tmux >/dev/null; then
    echo 'SKIPPED: aarch64: no qemu-aarch64-static, or no tmux' >&2
    [ "${AGENTUTILS_NO_SKIP:-}" != 1 ] || exit 1
    exit 0
fi
world=$(mktemp -d)
trap 'tmux -S "$world/socket" kill-server 2>/dev/null; rm -rf "$world"' EXIT
tar -xzf "$dist"/agentutils-*-aarch64-unknown-linux-musl.tar.gz --strip-components=1 -C "$world"
run() {
    program=$1
    shift
    "$qemu" "$world/bin/$program" "$@"
}
for program in lsagents lssessions lsclaude agentdiff agentprune; do run "$program" --version; done

registry=$world/project/.agent-workspace/registry/GLOBAL_REGISTRY.json
mkdir -p "$(dirname "$registry")"
cat >"$registry" <<'END'
{"agents": [
  {"id": "live-1", "status": "working", "tmux_session": "agent_live-1", "started_at": "2020-01-01T00:00:00"},
  {"id": "ghost-1", "status": "working", "tmux_session": "agent_ghost-1", "started_at": "2020-01-01T00:00:00"}
], "total_spawned": 2, "active_count": 2}
END
tmux -S "$world/socket" new-session -d -s agent_live-1 'while :; do sleep 1; done'
sleep 3 # what is younger is not judged
scan() {
    run lsagents --workspace "$world/project"
    run lssessions -S "$world/socket"
    run lsclaude
}
scan >"$world/records"
# Of what is found, only what this registry says: other things of this machine are left alone.
run agentdiff --ignore-unasked -Q '.kind == "ghost_agent" or .type == "end"' <"$world/records" >"$world/findings" ||
    [ $? = 1 ] # something was found
grep -q ghost-1 "$world/findings"
if grep live-1 "$world/findings"; then exit 1; fi
run agentprune --yes <"$world/findings" >"$world/actions"
cat "$world/actions"
grep -q '"target":"agent ghost-1","result":"done"' "$world/actions"
grep -q '"id": "live-1", "status": "working"' "$registry"
if grep -q '"id": "ghost-1", "status": "working"' "$registry"; then
    echo 'the ghost still has the status working' >&2
    exit 1
fi
tmux -S "$world/socket" has-session -t '=agent_live-1'
echo 'aarch64 under qemu: five programs run; the ghost is ended, the live entry and its session stay'
