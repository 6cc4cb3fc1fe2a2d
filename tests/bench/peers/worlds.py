"""The worlds: what is alive in each, and what is abandoned. `live_*` have live work, `left_*` abandoned servers."""

import inspect
import json
import os
import shutil
import subprocess
import sys
import time

TESTS = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DOUBLE = TESTS + "/left_behind/double.py"
SERVER = TESTS + "/left_behind/server.py"
NEW, OLD = "2.1.197", "2.0.30"
# A node program that starts a worker as many do, and ends: the worker has pairs of sockets whose ends are gone.
LAUNCHER = """
const worker = require('child_process').spawn('python3', ['worker.py'], {detached: true});
worker.unref(); worker.stdin.unref(); worker.stdout.unref(); worker.stderr.unref();
setTimeout(() => process.exit(), 500);
"""
# It works: what it has found out grows in a file that it opens again and again.
WORKER = """
import os, time
open('pids/worker.new', 'w').write(str(os.getpid()))
os.rename('pids/worker.new', 'pids/worker')
while True:
    with open('results', 'a') as results:
        results.write('.')
    time.sleep(0.1)
"""
ANNOUNCE = """
import os, signal, socket, subprocess, sys, time
def announce(name, pid=None):
    open('pids/%s.new' % name, 'w').write(str(pid or os.getpid()))
    os.rename('pids/%s.new' % name, 'pids/%s' % name)
"""


class Missing(Exception):
    """A program that a world needs is not installed."""


class World:
    def __init__(self, path, built):
        self.path, self.live, self.abandoned, self.names, self.count = path, [], [], {}, 0
        os.chdir(path)
        for directory in ("home/.claude", "pids", "bin", "tmux", "node_modules/mcp-files", "node_modules/.bin"):
            os.makedirs(directory)
        shutil.copy(DOUBLE, "claude-double")
        shutil.copy(SERVER, "server.py")
        shutil.copy(SERVER, "mcp-server.py")
        shutil.copy(built + "/examples/standin", "bin/claude")
        self.write("worker.py", WORKER)
        self.write("launcher.js", LAUNCHER)
        self.write("package.json", "{}")
        self.program("node_modules/mcp-files/mcp-files", 'python3 mcp-server.py "$@"\n:\n')
        os.symlink("../mcp-files/mcp-files", "node_modules/.bin/mcp-files")
        run = "import subprocess, sys\nsys.exit(subprocess.call(sys.argv[%d:]))\n"
        self.write("bin/uvx", "#!%s\n%s" % (sys.executable, run % 1), 0o755)
        self.write("bin/uv", "#!%s\n%s" % (sys.executable, run % 3), 0o755)
        self.environment = {
            "HOME": path + "/home", "PATH": "%s/bin:%s:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin" % (path, built),
            "LANG": "C.UTF-8", "TMUX_TMPDIR": path + "/tmux", "STANDIN_WORLD": path, "CLAUDE": path + "/bin/claude",
        }

    def write(self, name, text, mode=0o644):
        with open(name, "w") as file:
            file.write(text)
        os.chmod(name, mode)

    def program(self, name, text):
        self.write(name, "#!/bin/sh\n" + text, 0o755)

    def start(self, *command, environment=None, **options):
        """Starts a program that this one does not wait for, as a person or a service would."""
        own = {**self.environment, **(environment or {})}
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        return subprocess.Popen(list(command), env=own, start_new_session=True, **{**streams, **options})

    def person(self, line, environment=None):
        """Runs a line to its end, as from a terminal that is closed afterwards."""
        own = {**self.environment, **(environment or {})}
        subprocess.run(["setsid", "bash", "-c", line], env=own, stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)

    def claude(self, version, *starts, session=None):
        """A Claude of this version, which starts servers, hooks and tools: (what, command)."""
        self.count += 1
        session = session or "%08x-832d-4542-8d0c-1b1d0a1f7e55" % self.count
        ready = "pids/claude-%d" % self.count
        start = [{"what": what, "run": [run] if what == "tool" else words(run)} for what, run in starts]
        plan = {"version": version, "session": session, "ready": ready, "start": start}
        self.start(sys.executable, "claude-double", json.dumps(plan))
        return self.pid("claude-%d" % self.count)

    def pid(self, name):
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                return int(open("pids/" + name).read())
            except (OSError, ValueError):
                time.sleep(0.01)
        raise TimeoutError(name)

    def lives(self, *names):
        """These are live work."""
        self.add(self.live, names)

    def leaks(self, *names):
        """These are abandoned, with all above them up to the Claude that started them."""
        self.add(self.abandoned, names)

    def add(self, to, names):
        for name in names:
            pid = name if isinstance(name, int) else self.pid(name)
            self.names[pid] = str(name)
            to.append(pid)

    def above(self, name, top):
        """The processes above one, up to the one below `top`."""
        above, pid = [], parent(self.pid(name))
        while pid not in (top, 1):
            above.append(pid)
            pid = parent(pid)
        return above

    def kill(self, pid, number=9):
        os.kill(pid, number)
        while self.is_alive(pid):
            time.sleep(0.01)

    @staticmethod
    def is_alive(pid):
        try:
            return open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False


def parent(pid):
    return int(open("/proc/%d/stat" % pid).read().rsplit(")", 1)[1].split()[1])


def words(text):
    """The words of a command; what is in apostrophes is one."""
    parts = text.split("'")
    return [word for at, part in enumerate(parts) for word in ([part] if at % 2 else part.split())]


def needs(program):
    if not shutil.which(program):
        raise Missing(program + " is not installed")


def names():
    own = [(name, it) for name, it in globals().items() if name.startswith(("live_", "left_"))]
    return [name for name, it in sorted(own, key=lambda pair: inspect.getsourcelines(pair[1])[1])]


def background(name, command):
    return ("tool", "%s & echo $! >pids/%s.new; mv pids/%s.new pids/%s" % (command, name, name, name))


def server(options, name="a", program="mcp-server.py"):
    return ("server", "python3 %s %s bad %s" % (program, name, options))


def after_death(world, version, *starts):
    """A Claude that started these and was killed."""
    claude = world.claude(version, *starts)
    def done():
        world.kill(claude)
        time.sleep(0.2)
    return done


# Live work: of a Claude that lives.


def live_server_of_a_claude(world):
    claude = world.claude(NEW, server(""))
    world.lives(claude, "a")


def live_server_without_a_parent(world):
    claude = world.claude(NEW, ("server", "setsid --fork python3 mcp-server.py a bad"))
    world.lives(claude, "a")


def live_server_of_an_old_claude_below_a_shell(world):
    claude = world.claude(OLD, ("server", "sh -c 'python3 mcp-server.py a bad; :'"))
    world.lives(claude, "a")


def live_server_below_npx(world):
    needs("npx")
    claude = world.claude(NEW, ("server", "npx --no-install mcp-files a bad"))
    world.lives(claude, "a")


def live_background_command_of_a_claude(world):
    claude = world.claude(NEW, background("job", "node -e 'setInterval(() => 0, 1000)'"))
    world.lives(claude, "job")


def live_resumed_session(world):
    session = "0000000a-832d-4542-8d0c-1b1d0a1f7e55"
    first = world.claude(NEW, server("", "first"), session=session)
    second = world.claude(NEW, server("", "second"), session=session)
    world.pid("first")
    world.lives(second, "second")
    world.kill(first)


def live_headless_claude_with_a_log(world):
    world.person("nohup claude -p --output-format stream-json >mcp.log 2>&1 & echo $! >pids/it")
    world.lives("it")


def live_claude_below_a_supervisor(world):
    code = ANNOUNCE + """
p = subprocess.Popen(['claude', '-p', '--output-format', 'stream-json'], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
announce('it', p.pid)
p.wait()
"""
    supervisor = world.start(sys.executable, "-c", code).pid
    world.lives("it", supervisor)


# Live work: what a Claude that has ended had started for its user.


def live_job_with_a_log(world):
    end = after_death(world, NEW, background("job", "nohup python3 worker.py >train.log 2>&1"))
    world.lives("job")
    end()


def live_job_in_a_session_of_its_own(world):
    end = after_death(world, OLD, ("tool", "setsid python3 worker.py >/dev/null 2>&1 </dev/null &"))
    world.lives("worker")
    end()


def live_development_server(world):
    end = after_death(world, NEW, ("tool", "setsid node -e \"require('http').createServer().listen(0)\" mcp "
                                   ">/dev/null 2>&1 & echo $! >pids/dev"))
    time.sleep(0.5)
    world.lives("dev")
    end()


def live_build_in_the_background(world):
    needs("make")
    world.write("Makefile", "all: a b\na b:\n\t@echo $$PPID >pids/make.new; mv pids/make.new pids/make; sleep 3600\n")
    end = after_death(world, NEW, ("tool", "nohup make -j >build.log 2>&1 &"))
    world.lives("make")
    end()


def live_ssh_agent(world):
    needs("ssh-agent")
    end = after_death(world, NEW, ("tool", "eval $(ssh-agent -s); echo $SSH_AGENT_PID >pids/agent"))
    world.lives("agent")
    end()


def live_worker_of_a_hook(world):
    end = after_death(world, NEW, ("hook", "python3 mcp-server.py a bad"))
    world.lives("a")
    end()


def live_worker_of_a_hook_of_2_1_150(world):
    end = after_death(world, "2.1.150", ("hook", "python3 mcp-server.py a bad"))
    world.lives("a")
    end()


def live_claude_started_by_a_claude(world):
    end = after_death(world, NEW, background("nested", "claude -p x --output-format stream-json >nested.log 2>&1"))
    world.lives("nested")
    end()


# Live work: servers that others than Claude use.


def kept(world, options, *others):
    end = after_death(world, NEW, server(options))
    world.lives("a", *others)
    end()


def live_server_listening_on_tcp(world):
    kept(world, "tcp")


def live_server_listening_on_a_name(world):
    kept(world, "unix")


def live_server_with_a_client(world):
    kept(world, "accepted")


def custom(world, code):
    """A server with this code, after the death of its Claude."""
    world.write("mcp-server-own.py", ANNOUNCE + code + "\nannounce('a')\ntime.sleep(3600)\n")
    end = after_death(world, NEW, ("server", "python3 mcp-server-own.py"))
    world.lives("a")
    end()


OUTSIDE = """
def outside(code):
    clean = {k: v for k, v in os.environ.items() if 'CLAUDE' not in k and k != 'AI_AGENT'}
    subprocess.run(['setsid', '--fork', sys.executable, '-c', code], env=clean, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
"""


def live_server_with_a_client_over_tcp(world):
    custom(world, OUTSIDE + """
listening = socket.create_server(('127.0.0.1', 0))
outside("import socket, time; s = socket.create_connection(('127.0.0.1', %d)); time.sleep(3600)"
        % listening.getsockname()[1])
kept = listening.accept()
listening.close()
""")


def live_server_of_datagrams(world):
    custom(world, "kept = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); kept.bind(('127.0.0.1', 5300))")


def live_server_of_datagrams_on_a_name(world):
    custom(world, "kept = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); kept.bind('requests.sock')")


def live_server_of_packets_on_a_name(world):
    custom(world, "kept = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); kept.bind('s'); kept.listen()")


def live_server_with_a_pair_that_it_shares(world):
    custom(world, """
ours, theirs = socket.socketpair()
if os.fork() == 0:
    os.setsid()
    if os.fork() != 0:
        os._exit(0)
    ours.close()
    null = os.open('/dev/null', os.O_RDWR)
    for fd in range(3):
        os.dup2(null, fd)
    time.sleep(3600)
theirs.close()
""")


def live_server_whose_other_ends_were_handed_on(world):
    """By SCM_RIGHTS, to who carries on with it."""
    world.write("keeper.py", ANNOUNCE + """
s = socket.socket(socket.AF_UNIX); s.bind('keeper.sock'); s.listen(); announce('keeper')
kept = socket.recv_fds(s.accept()[0], 1, 8)
announce('got')
time.sleep(3600)
""")
    world.write("host.py", ANNOUNCE + """
pairs = [socket.socketpair() for _ in range(2)]
own = {**os.environ, 'CLAUDE_CODE_ENTRYPOINT': 'cli'}
p = subprocess.Popen(['setsid', sys.executable, 'mcp-server.py', 'a', 'bad'], env=own, stdin=pairs[0][1], stdout=pairs[1][1])
s = socket.socket(socket.AF_UNIX); s.connect('keeper.sock')
socket.send_fds(s, [b'x'], [pairs[0][0].fileno(), pairs[1][0].fileno()])
""")
    keeper = world.start(sys.executable, "keeper.py").pid
    world.pid("keeper")
    world.person("python3 host.py")
    world.pid("got")
    world.lives(keeper, "a")


def live_server_in_a_debugger(world):
    end = after_death(world, NEW, server(""))
    traced = world.pid("a")
    tracer = ANNOUNCE + """
import ctypes
libc = ctypes.CDLL(None)
assert libc.ptrace(0x4206, %d, None, None) == 0
announce('debugger')
time.sleep(3600)
""" % traced
    world.start(sys.executable, "-c", tracer)
    world.lives("a", "debugger")
    end()


def live_server_that_a_supervisor_watches(world):
    end = after_death(world, NEW, server(""))
    world.start(sys.executable, "-c", ANNOUNCE + """
import select
fd = os.pidfd_open(%d)
announce('watcher')
select.select([fd], [], [])
""" % world.pid("a"))
    world.lives("a", "watcher")
    end()


def live_server_with_a_training_job(world):
    kept(world, "job-log", "a-job")


def live_server_with_a_job_whose_output_it_reads(world):
    custom(world, """
job = subprocess.Popen([sys.executable, 'worker.py'], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                       stderr=open('train.log', 'a'))
""")
    world.lives("worker")


def live_server_with_a_claude_below(world):
    kept(world, "job-claude", "a-job")


def live_server_with_somebodys_tmux_below(world):
    kept(world, "job-tmux", "a-job")


# Live work that has Claude's variables by inheritance.


def dangling(world, environment):
    """A person's worker, started by a node program that has ended."""
    needs("node")
    world.person("node launcher.js", environment)
    world.lives("worker")


def live_worker_started_in_the_terminal_of_an_ide(world):
    dangling(world, {"CLAUDE_CODE_SSE_PORT": "33333", "ENABLE_IDE_INTEGRATION": "true"})


def live_worker_of_a_user_who_has_set_claude_up(world):
    dangling(world, {"CLAUDE_CODE_MAX_OUTPUT_TOKENS": "9", "CLAUDE_CODE_USE_BEDROCK": "1"})


def live_worker_of_a_program_with_the_sdk(world):
    """The SDK sets it for its own process, and so for all that the program starts."""
    dangling(world, {"CLAUDE_CODE_ENTRYPOINT": "sdk-ts"})


def in_a_pane(world, version):
    line = ("tmux -f /dev/null -S inner new-session -d -s mine bash --norc; "
            "tmux -S inner display-message -p '#{pid}' >pids/tmux.new; mv pids/tmux.new pids/tmux; exec sleep 3600")
    world.program("with-tmux", line + "\n")
    end = after_death(world, version, ("server", "sh with-tmux"))
    world.lives("tmux")
    end()
    subprocess.run(["tmux", "-S", "inner", "send-keys", "node launcher.js", "Enter"], env=world.environment,
                   check=True)
    while parent(world.pid("worker")) != 1:
        time.sleep(0.05)
    world.lives("worker")


def live_worker_started_in_a_tmux_of_an_old_claude(world):
    in_a_pane(world, OLD)


def live_worker_started_in_a_tmux_of_a_claude(world):
    in_a_pane(world, NEW)


def live_job_that_a_server_has_set_free(world):
    """It has the streams of its server, which has ended with its Claude."""
    world.write("mcp-server-own.py", ANNOUNCE + """
subprocess.Popen([sys.executable, 'worker.py'], start_new_session=True)
announce('a')
sys.stdin.read()
""")
    end = after_death(world, NEW, ("server", "python3 mcp-server-own.py"))
    world.lives("worker")
    world.pid("a")
    end()


# Abandoned servers.


def left(world, version, run, end=lambda world, claude: world.kill(claude)):
    claude = world.claude(version, ("server", run))
    world.leaks("a", *world.above("a", claude))
    end(world, claude)


def left_server(world):
    left(world, NEW, "python3 mcp-server.py a bad")


def left_server_that_ignores_signals(world):
    left(world, NEW, "python3 mcp-server.py a worse")


def left_server_below_a_shell(world):
    left(world, NEW, "sh -c 'python3 mcp-server.py a bad; :'")


def left_server_below_npx(world):
    needs("npx")
    left(world, NEW, "npx --no-install mcp-files a bad")


def left_server_below_uvx(world):
    left(world, NEW, "uvx uv tool run python3 mcp-server.py a bad")


def left_server_with_a_log_and_a_database(world):
    left(world, NEW, "python3 mcp-server.py a bad log database")


def left_server_of_an_old_claude(world):
    left(world, OLD, "python3 mcp-server.py a bad")


def left_server_after_a_normal_end(world):
    def end(world, claude):
        world.kill(claude, 10)
    left(world, "2.1.150", "sh -c 'python3 mcp-server.py a bad; :'", end)
