"""An MCP server without tools: `server.py NAME MODE [OPTION...]`.

It writes its pid into pids/NAME. MODE: `good` ends with its input, `bad` does not, `worse` ignores
signals too. OPTIONs are in the table at the end.
"""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time

name, mode, options = sys.argv[1], sys.argv[2], sys.argv[3:]
kept = []


def announce(what, pid):
    with open("pids/%s.new" % what, "w") as file:
        file.write(str(pid))
    os.rename("pids/%s.new" % what, "pids/%s" % what)


def job(run, output=subprocess.DEVNULL):
    """Something that the server runs for itself."""
    child = subprocess.Popen(
        run, stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True
    )
    announce(name + "-job", child.pid)
    return child.pid


def log():
    opened = open("%s.log" % name, "a")
    os.dup2(opened.fileno(), 2)


def database():
    connection = sqlite3.connect("%s.db" % name)
    connection.execute("create table if not exists t (x)")
    kept.append(connection)


def tcp():
    kept.append(socket.create_server(("127.0.0.1", 0)))


def unix():
    listening = socket.socket(socket.AF_UNIX)
    listening.bind("%s.sock" % name)
    listening.listen()
    kept.append(listening)


def outside(code):
    """Runs this, not below the server."""
    subprocess.run(["setsid", "--fork", "env", "-u", "CLAUDE_CODE_ENTRYPOINT", "-u", "CLAUDECODE", "-u",
                    "CLAUDE_CODE_SESSION_ID", sys.executable, "-c", code],
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def accepted():
    """A client that has come, and stays; no other can."""
    unix()
    client = "import socket, time; s = socket.socket(socket.AF_UNIX); s.connect('%s.sock')\n" % name
    outside(client + "time.sleep(3600)")
    listening = kept.pop()
    kept.append(listening.accept()[0])
    listening.close()


def udp():
    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    kept[-1].bind(("127.0.0.1", 0))


def datagram():
    kept.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
    kept[-1].bind("%s.sock" % name)


def client():
    """The same over TCP."""
    listening = socket.create_server(("127.0.0.1", 0))
    outside("import socket, time; s = socket.create_connection(('127.0.0.1', %d))\n"
            "time.sleep(3600)" % listening.getsockname()[1])
    kept.append(listening.accept()[0])
    listening.close()


def connected():
    """It has gone to a service: that is no client of it."""
    port = "%s.port" % name
    outside("import os, socket, time; s = socket.create_server(('127.0.0.1', 0))\n"
            "open('new', 'w').write(str(s.getsockname()[1])); os.rename('new', '%s')\n"
            "kept = s.accept(); time.sleep(3600)" % port)
    while not os.path.exists(port):
        time.sleep(0.01)
    kept.append(socket.create_connection(("127.0.0.1", int(open(port).read()))))


def piped_job():
    """Its output comes to the server, its errors go to a log."""
    child = subprocess.Popen(["sleep", "3600"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=open("piped.log", "a"))
    kept.append(child)
    announce(name + "-job", child.pid)


def free_job():
    """It has the streams of the server, and a session of its own."""
    child = subprocess.Popen(["sleep", "3600"], start_new_session=True)
    announce(name + "-job", child.pid)


def listening_job(run):
    """Waits until it listens."""
    fds = "/proc/%d/fd" % job(run)
    while not any(os.readlink(fds + "/" + fd).startswith("socket:") for fd in os.listdir(fds)):
        time.sleep(0.01)


LISTEN = "import socket, time; s = socket.create_server(('127.0.0.1', 0)); time.sleep(3600)"
OPTIONS = {
    "log": log,
    "database": database,
    "tcp": tcp,
    "unix": unix,
    "accepted": accepted,
    "udp": udp,
    "datagram": datagram,
    "client": client,
    "connected": connected,
    "job-piped": piped_job,
    "job-free": free_job,
    "job": lambda: job(["sleep", "3600"]),
    "job-log": lambda: job(["sleep", "3600"], open("train.log", "a")),
    "job-tcp": lambda: listening_job([sys.executable, "-c", LISTEN]),
    "job-clean": lambda: job(["env", "-i", "STANDIN_WORLD=" + os.environ["STANDIN_WORLD"],
                              "/bin/sleep", "3600"], open("clean.log", "a")),
    "job-claude": lambda: job([os.environ["CLAUDE"], "--print", "x"], open("claude.log", "a")),
    "job-prune": lambda: job(["sh", "prune.sh"]),
    # In the foreground; else it would be a process of its own.
    "job-tmux": lambda: listening_job(["tmux", "-f", "/dev/null", "-S", name + ".tmux", "-D"]),
}
if mode == "worse":
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
for option in options:
    OPTIONS[option]()
announce(name, os.getpid())
for line in sys.stdin:
    request = json.loads(line)
    if "id" not in request:
        continue
    result = {}
    if request["method"] == "initialize":
        version = request["params"]["protocolVersion"]
        info = {"name": name, "version": "1"}
        result = {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info}
    elif request["method"] == "tools/list":
        result = {"tools": []}
    print(json.dumps({"jsonrpc": "2.0", "id": request["id"], "result": result}), flush=True)
while mode != "good":
    time.sleep(60)
