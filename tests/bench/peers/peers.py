"""Beside other tools, on the same worlds: what each of them ends of live work, and of abandoned servers.

    peers.py [-w WORD] [--only TOOL] [--show] BUILT [NAME=COMMAND...]

BUILT is the directory of the built programs, COMMAND a line for bash. Each tool meets each world in
namespaces of its own (pids, mounts, network), with a home of its own: nothing outside can be ended.
Needs root, ip, tini, tmux, node with npm, and Python. `-w`: only the worlds whose name has this word;
`--only`: only this tool; `--show`: what it prints.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import worlds

HERE = os.path.dirname(os.path.abspath(__file__))
OURS = ("{ lsagents; lssessions; lsclaude --role claude,server,child; } | agentdiff --min-age 0 "
        "--unregistered >findings; agentprune --yes --grace 1s <findings")
ONE_LINER = "ps -eo pid=,ppid=,args= | awk '$2 == 1 && /mcp|claude|node/ { print $1 }' | xargs -r kill -9"


def inside(name, command, built):
    """In the namespaces: builds the world, runs the tool, prints who should have lived and did not, and who
    should have been ended and was not."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    with tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as path:
        world = worlds.World(path, built)
        try:
            getattr(worlds, name)(world)
        except worlds.Missing as missing:
            print("skipped: %s" % missing)
            return
        time.sleep(0.3)
        for pid in world.live + world.abandoned:
            assert world.is_alive(pid), "%s: %s does not live: the world is wrong" % (name, world.names[pid])
        with open(world.path + "/out", "w") as out:
            subprocess.run(["bash", "-c", command], env=world.environment, cwd=path, stdout=out,
                           stderr=out, stdin=subprocess.DEVNULL, timeout=120)
        time.sleep(1.5)
        lost = [world.names[pid] for pid in world.live if not world.is_alive(pid)]
        kept = [world.names[pid] for pid in world.abandoned if world.is_alive(pid)]
        print("ended: " + ", ".join(lost) if lost else "left: " + ", ".join(kept) if kept else "right")
        if "PEERS_SHOW" in os.environ:
            print(open(world.path + "/out").read(), file=sys.stderr)


def outside(name, command, built):
    unshare = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--mount", "--net", "tini", "-s", "--"]
    # Not as arguments: some tools go by these.
    environment = {**os.environ, "PEERS_WORLD": name, "PEERS_TOOL": command}
    ran = subprocess.run(unshare + [sys.executable, __file__, built], env=environment, stdout=subprocess.PIPE,
                         text=True)
    return ran.stdout.strip() if ran.returncode == 0 else "failed"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-w", default="")
    parser.add_argument("--only", default="")
    parser.add_argument("--show", action="store_true")
    parser.add_argument("built")
    parser.add_argument("peers", nargs="*")
    args = parser.parse_args()
    built = os.path.abspath(args.built)
    if args.show:
        os.environ["PEERS_SHOW"] = "1"
    if "PEERS_WORLD" in os.environ:
        return inside(os.environ.pop("PEERS_WORLD"), os.environ.pop("PEERS_TOOL"), built)
    tools = [("ours", OURS), ("one-liner", ONE_LINER)] + [peer.split("=", 1) for peer in args.peers]
    tools = [tool for tool in tools if args.only in ("", tool[0])]
    totals = {}
    for name in worlds.names():
        if args.w not in name:
            continue
        is_live = name.startswith("live_")
        for tool, command in tools:
            said = outside(name, command, built)
            total = totals.setdefault((tool, is_live), [0, 0])
            if not said.startswith(("skipped", "failed")):
                total[0] += said == "right"
                total[1] += 1
            print("%-44s %-12s %s" % (name, tool, said), flush=True)
    for tool, _ in tools:
        lives, ends = totals.get((tool, True), [0, 0]), totals.get((tool, False), [0, 0])
        print("%-12s ended live work in %d of %d worlds, abandoned servers in %d of %d"
              % (tool, lives[1] - lives[0], lives[1], ends[0], ends[1]))


if __name__ == "__main__":
    main()
