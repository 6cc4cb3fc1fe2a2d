"""A double of the Claude CLI's habits, as they were seen with the real one: what it starts, over which
streams and with which environment in which version, and what it writes down about itself.

Run as `claude PLAN`, PLAN being JSON: {"version": "2.1.197", "session": ID, "ready": FILE,
"start": [{"what": WHAT, "run": [COMMAND...]}...]}. WHAT is `server`, `hook`, `start_hook` or `tool`.
Of a tool, COMMAND is one text for a shell. SIGUSR1 is the normal end.
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time

plan = json.loads(sys.argv[1])
version = tuple(int(number) for number in plan["version"].split("."))
session, project, home = plan["session"], os.getcwd(), os.environ["HOME"]
config = os.environ.get("CLAUDE_CONFIG_DIR", home + "/.claude")
ends = []


def environment(what):
    """The variables that are added to its own environment."""
    added = {"CLAUDE_CODE_ENTRYPOINT": "cli"}
    is_hook = what in ("hook", "start_hook")
    if is_hook or what == "server" and version >= (2, 1, 150):
        added["CLAUDE_PROJECT_DIR"] = project
    if what == "start_hook" and version >= (2, 0, 30):
        added["CLAUDE_ENV_FILE"] = config + "/session-env/hook-0.sh"
    if version >= (2, 1, 150):
        agent = "agent" if what == "tool" else "harness"
        added["AI_AGENT"] = "claude-code_%s_%s" % (plan["version"].replace(".", "-"), agent)
    # What tools have always had, hooks have from 2.1.150 on, and servers from 2.1.197 on.
    if what == "tool" or is_hook and version >= (2, 1, 150) or version >= (2, 1, 197):
        added["CLAUDECODE"] = "1"
        if version >= (2, 1, 150):
            added["CLAUDE_CODE_SESSION_ID"] = session
    if what != "server" and version >= (2, 1, 197):
        added["CLAUDE_CODE_CHILD_SESSION"] = "1"
    return {**os.environ, **added}


def start(what, run):
    if what == "tool":
        os.makedirs(config + "/shell-snapshots", exist_ok=True)
        snapshot = config + "/shell-snapshots/snapshot-bash-1-x.sh"
        open(snapshot, "a").close()
        output = open("/tmp/claude-%d.output" % os.getuid(), "a")
        code = "source %s 2>/dev/null || true && eval %s < /dev/null && pwd -P >| cwd"
        quoted = "'" + run[0].replace("'", "'\\''") + "'"
        shell = ["bash", "-c", code % (snapshot, quoted)]
        return subprocess.Popen(
            shell, env=environment(what), stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
        )
    pairs = [socket.socketpair() for _ in range(3)]
    ends.extend(pair[0] for pair in pairs)
    streams = [pair[1] for pair in pairs]
    child = subprocess.Popen(
        run, env=environment(what), stdin=streams[0], stdout=streams[1], stderr=streams[2],
    )
    for stream in streams:
        stream.close()
    return child


def session_file():
    """Before 2.1.100 there is none; then it does not yet say when its process began."""
    file = "%s/sessions/%d.json" % (config, os.getpid())
    if version < (2, 1, 100):
        return file
    now = int(time.time() * 1000)
    text = {
        "pid": os.getpid(), "sessionId": session, "cwd": project, "startedAt": now,
        "version": plan["version"], "kind": "interactive", "entrypoint": "cli",
    }
    if version >= (2, 1, 150):
        stat = open("/proc/self/stat").read()
        text["procStart"] = stat.rsplit(")", 1)[1].split()[19]
    if version >= (2, 1, 197):
        text["updatedAt"] = now
    os.makedirs(config + "/sessions", exist_ok=True)
    with open(file, "w") as opened:
        json.dump(text, opened)
    return file


def end(*_):
    if os.path.exists(file):
        os.remove(file)
    os._exit(0)


file = session_file()
signal.signal(signal.SIGUSR1, end)
children = [start(one["what"], one["run"]) for one in plan["start"]]
with open(plan["ready"] + ".new", "w") as ready:
    ready.write(str(os.getpid()))
os.rename(plan["ready"] + ".new", plan["ready"])
while True:
    time.sleep(0.05)
    for child in children:
        child.poll()
