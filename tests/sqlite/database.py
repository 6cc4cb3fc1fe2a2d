# What every script of the tests begins with. The first argument is the path of a database,
# registry/state.sqlite3 of a workspace. `connect` opens it as the orchestrator does, `schema`
# makes the tables of one of its versions, and `report` is an agent that reports.
import datetime, json, os, sqlite3, sys, threading, time
path = sys.argv[1]
def connect(timeout=10):
    c = sqlite3.connect(path, timeout=timeout, isolation_level=None)
    c.row_factory = sqlite3.Row
    c.execute("PRAGMA journal_mode=WAL;")
    c.execute("PRAGMA synchronous=NORMAL;")
    c.execute("PRAGMA foreign_keys=ON;")
    c.execute("PRAGMA busy_timeout=%d;" % (timeout * 1000))
    return c
def schema(c, version):
    late = ["model TEXT", "claude_pid INTEGER", "cursor_pid INTEGER", "tracked_files TEXT"]
    reviews = ["review_id TEXT", "final_verdict TEXT"]
    first = ["agent_id TEXT PRIMARY KEY", "task_id TEXT NOT NULL", "type TEXT"]
    middle = ["tmux_session TEXT", "parent TEXT", "depth INTEGER", "phase_index INTEGER"]
    last = ["started_at TEXT", "completed_at TEXT", "status TEXT", "progress INTEGER",
            "last_update TEXT", "prompt_preview TEXT"]
    key = ["FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE"]
    whole = version in ("today", "next")
    columns = first + (late[:1] if whole else []) + middle + (late[1:] if whole else []) + last
    c.execute("""CREATE TABLE tasks(task_id TEXT PRIMARY KEY, workspace TEXT, workspace_base TEXT,
        description TEXT, status TEXT, priority TEXT, client_cwd TEXT, created_at TEXT,
        updated_at TEXT, current_phase_index INTEGER)""")
    c.execute("CREATE TABLE agents(%s)" % ", ".join(columns + key))
    c.execute("""CREATE TABLE agent_progress_latest(task_id TEXT NOT NULL, agent_id TEXT NOT NULL,
        timestamp TEXT, status TEXT, progress INTEGER, message TEXT,
        PRIMARY KEY (task_id, agent_id),
        FOREIGN KEY (task_id) REFERENCES tasks(task_id) ON DELETE CASCADE)""")
    c.execute("CREATE INDEX idx_agents_status ON agents(status)")
    added = {"january": [], "migrated": late + reviews, "today": reviews,
             "next": reviews + ["zeal REAL", "region TEXT NOT NULL DEFAULT 'here'"]}[version]
    for column in added:
        c.execute("ALTER TABLE agents ADD COLUMN " + column)
def task(c, task_id="TASK-1"):
    c.execute("INSERT INTO tasks(task_id, status, updated_at) VALUES(?, 'ACTIVE', 'then')", (task_id,))
def agent(c, agent_id, status="running", task_id="TASK-1", **more):
    row = dict(agent_id=agent_id, task_id=task_id, type="builder", parent="orchestrator",
        tmux_session="agent_" + agent_id, status=status, progress=10, phase_index=0,
        started_at="2026-02-03T04:05:06.000007", last_update="2026-02-03T04:06:00.000000")
    row.update(more)
    c.execute("INSERT INTO agents(%s) VALUES(%s)" % (", ".join(row), ", ".join("?" * len(row))),
        tuple(row.values()))

def workspace():
    return os.path.dirname(os.path.dirname(os.path.abspath(path)))
def progress_file(agent_id, task_id="TASK-1"):
    directory = os.path.join(workspace(), task_id, "progress")
    os.makedirs(directory, exist_ok=True)
    return os.path.join(directory, agent_id + "_progress.jsonl")
def line(agent_id, status, timestamp=None, message="at work", task_id="TASK-1"):
    timestamp = timestamp or datetime.datetime.now().isoformat()
    entry = {"timestamp": timestamp, "agent_id": agent_id, "status": status,
             "message": message, "progress": 20}
    with open(progress_file(agent_id, task_id), "a") as f:
        f.write(json.dumps(entry) + "\n")
    return timestamp
def record(c, agent_id, status, timestamp, message="at work", task_id="TASK-1"):
    c.execute("BEGIN IMMEDIATE")
    c.execute("""INSERT INTO agent_progress_latest VALUES(?,?,?,?,20,?)
        ON CONFLICT(task_id, agent_id) DO UPDATE SET timestamp=excluded.timestamp,
        status=excluded.status, progress=20, message=excluded.message""",
        (task_id, agent_id, timestamp, status, message))
    c.execute("UPDATE agents SET status=?, progress=20, last_update=? WHERE agent_id=?",
        (status, timestamp, agent_id))
    c.execute("UPDATE tasks SET updated_at=? WHERE task_id=?", (timestamp, task_id))
    c.execute("COMMIT")
def report(c, agent_id, status, delay=0, task_id="TASK-1"):
    timestamp = line(agent_id, status, task_id=task_id)
    time.sleep(delay)
    record(c, agent_id, status, timestamp, task_id=task_id)
def last_line(agent_id, task_id="TASK-1"):
    try:
        lines = [l for l in open(progress_file(agent_id, task_id)) if l.strip()]
    except FileNotFoundError:
        return None
    return json.loads(lines[-1]) if lines else None
def task_file(entries, task_id="TASK-1"):
    directory = os.path.join(workspace(), task_id)
    os.makedirs(directory, exist_ok=True)
    active = sum(e["status"] in ("running", "working", "blocked", "reviewing") for e in entries)
    registry = {"task_id": task_id, "status": "ACTIVE", "agents": entries,
        "total_spawned": len(entries), "active_count": active, "completed_count": sum(e["status"] == "completed" for e in entries)}
    json.dump(registry, open(os.path.join(directory, "AGENT_REGISTRY.json"), "w"), indent=2)
def entry(agent_id, status="working"):
    return {"id": agent_id, "type": "builder", "tmux_session": "agent_" + agent_id,
        "status": status, "started_at": "2026-02-03T04:05:06.000007"}
def reconcile(c, task_id="TASK-1"):
    # The effect: agents of the task's JSON get the status of their last line, else of there.
    registry = json.load(open(os.path.join(workspace(), task_id, "AGENT_REGISTRY.json")))
    for agent in registry["agents"]:
        last = last_line(agent["id"], task_id) or {}
        c.execute("UPDATE agents SET status=?, last_update=COALESCE(?, last_update) WHERE agent_id=?",
            (last.get("status") or agent["status"], last.get("timestamp"), agent["id"]))
def dump(c):
    # Every row of every table.
    tables = [r[0] for r in c.execute("SELECT name FROM sqlite_master WHERE type='table' ORDER BY 1")]
    return {t: sorted(json.dumps(list(r)) for r in c.execute("SELECT * FROM " + t)) for t in tables}
