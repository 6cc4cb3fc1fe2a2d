#!/bin/sh
# Tries the x86_64 tarball and the .deb where there is no compiler: bare_root.sh DIST BUILT [ROOT]
# DIST is what `make dist` has filled, BUILT where `make` has put the demo (target/release).
# A Debian is installed into ROOT by debootstrap, unless it is there already; everything runs
# below its root, in namespaces of its own that end with this script. Needs root.
set -eu

project=$(cd "$(dirname "$0")/../.." && pwd)
dist=$(cd "$1" && pwd)
built=$(cd "$2" && pwd)
root=${3:-}

skip() {
    echo "SKIPPED: bare root: $1" >&2
    [ "${AGENTUTILS_NO_SKIP:-}" != 1 ] || exit 1
    exit 0
}
[ "$(id -u)" = 0 ] || skip 'only root can change its root'
[ "$(uname -m)" = x86_64 ] || skip 'this is another processor'
unshare --pid --fork --mount true 2>/dev/null || skip 'no namespaces'
if [ -z "$root" ]; then
    root=$(mktemp -d)
    trap 'rm -rf "$root"' EXIT
fi
if [ ! -e "$root/usr/bin/man" ]; then
    command -v debootstrap >/dev/null || skip 'no debootstrap'
    # Recommends of the .deb, and man. apt does without its cache of pages here.
    debootstrap --variant=minbase --include=tmux,man-db,procps bookworm "$root" >"$root.log" 2>&1 ||
        skip "debootstrap failed; see $root.log"
fi
if [ -e "$root/etc/dpkg/dpkg.cfg.d/docker" ]; then rm "$root/etc/dpkg/dpkg.cfg.d/docker"; fi

# Commands below that root: sh reads them.
inside() {
    # shellcheck disable=SC2016 # for the inner shell
    unshare --pid --fork --kill-child --mount --uts -- sh -c '
        mount --bind "$1" "$1" && cd "$1" && mount -t proc proc proc && mkdir -p dev/pts &&
        mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts && ln -sf pts/ptmx dev/ptmx &&
        exec env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=xterm \
            chroot . sh -eu' sh "$root"
}
files() { (cd "$root" && find usr var/lib/dpkg/info etc ! -path '*/cache/*' ! -path 'var/lib/dpkg/info/agentutils*' | sort); }

cp "$dist"/agentutils-*-x86_64-unknown-linux-musl.tar.gz "$root/root/tarball.tar.gz"
cp "$dist"/agentutils_*_amd64.deb "$root/root/package.deb"
# The demo, with the programs of the package beside it, and the scripts where it looks for them.
rm -rf "$root/demo"
mkdir -p "$root/demo/release/examples" "$root$project/tools"
cp "$built/examples/demo" "$built/examples/standin" "$root/demo/release/examples/"

# shellcheck disable=SC2016 # for the shell inside
trial='
for program in lsagents lssessions lsclaude agentdiff agentprune; do $program --version; done
man -w agentprune agentrecords verify_cleanup verify_cleanup.sh cleanup_leaked_agents.sh
man verify_cleanup.sh | grep -q "SEE ALSO"
mkdir -p /root/project/.agent-workspace/registry && cd /root/project
echo "{\"agents\": [], \"total_spawned\": 0, \"active_count\": 0}" >.agent-workspace/registry/GLOBAL_REGISTRY.json
verify_cleanup.sh
rm -rf /root/project
cp -L "$(command -v lsagents)" "$(command -v lssessions)" "$(command -v lsclaude)" \
    "$(command -v agentdiff)" "$(command -v agentprune)" /demo/release/
cp "$(command -v cleanup_leaked_agents.sh)" "$(command -v verify_cleanup.sh)" '"'$project/tools/'"'
/demo/release/examples/demo </dev/null >/tmp/demo.out 2>&1 || { tail -30 /tmp/demo.out; exit 1; }
grep -A 12 "Before" /tmp/demo.out | head -26
'

before=$(files)
echo "== tarball"
inside <<END
! command -v cc gcc rustc
tar -xzf /root/tarball.tar.gz --strip-components=1 -C /usr/local --no-same-owner
$trial
tar -tzf /root/tarball.tar.gz | grep -v '/\$' | sed 's|^[^/]*/||' | while read -r file; do rm -f "/usr/local/\$file"; done
END
echo "== .deb"
inside <<END
dpkg -i /root/package.deb
$trial
dpkg --verify agentutils
dpkg -L agentutils
dpkg --purge agentutils
END
after=$(files)
# Directories that a tarball has made stay; files do not.
left=$(printf '%s\n%s\n' "$before" "$after" | sort | uniq -u | while read -r path; do [ -d "$root/$path" ] || echo "$path"; done)
rm -rf "$root/demo" "$root/tmp/"* "$root/root/tarball.tar.gz" "$root/root/package.deb"
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }
echo "bare root: both work, and their removal leaves nothing"
