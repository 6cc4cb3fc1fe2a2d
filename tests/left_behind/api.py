"""A stand-in of the Messages API on loopback: `api.py PORT_FILE RUNS`.

RUNS is JSON: for each word that may stand in a prompt as `RUN=WORD`, the commands for the Bash tool that
are asked for, one after the other; one that begins with `&` is for the background. Then the turn
ends. Everything else that the CLI asks gets an empty answer.
"""

import fcntl
import http.server
import json
import os
import re
import socket
import struct
import sys

runs = json.loads(sys.argv[2])


def loopback_up():
    """SIOCSIFFLAGS with IFF_UP | IFF_RUNNING, netdevice(7)."""
    with socket.socket() as any_socket:
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sH14x", b"lo", 0x1 | 0x40))


def text_of(content):
    if isinstance(content, str):
        return content
    return "\n".join(text_of(block.get("text") or "") for block in content if "text" in block)


def next_step(request):
    """What comes after the tool calls that the conversation has already."""
    prompt = "\n".join(text_of(m["content"]) for m in request["messages"] if m["role"] == "user")
    word = re.search(r"RUN=(\w+)", prompt)
    if not word or not any(tool["name"] == "Bash" for tool in request.get("tools", [])):
        return None
    contents = (m["content"] for m in request["messages"] if m["role"] == "assistant")
    blocks = (block for content in contents if isinstance(content, list) for block in content)
    done = sum(block.get("type") == "tool_use" for block in blocks)
    steps = runs[word[1]]
    return steps[done] if done < len(steps) else None


def events(request, number):
    step = next_step(request)
    if step is None:
        block, delta, why = {"type": "text", "text": ""}, {"type": "text_delta", "text": "done"}, "end_turn"
    else:
        call = {"command": step.lstrip("&"), "description": "step", "timeout": 600000}
        if step.startswith("&"):
            call["run_in_background"] = True
        block = {"type": "tool_use", "id": "toolu_%d" % number, "name": "Bash", "input": {}}
        delta, why = {"type": "input_json_delta", "partial_json": json.dumps(call)}, "tool_use"
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "msg_%d" % number, "type": "message", "role": "assistant", "model": request["model"],
               "content": [], "stop_reason": None, "stop_sequence": None, "usage": usage}
    yield "message_start", {"message": message}
    yield "content_block_start", {"index": 0, "content_block": block}
    yield "content_block_delta", {"index": 0, "delta": delta}
    yield "content_block_stop", {"index": 0}
    yield "message_delta", {"delta": {"stop_reason": why, "stop_sequence": None}, "usage": usage}
    yield "message_stop", {}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    number = 0

    def log_message(self, *_):
        pass

    def answer(self, status, body, kind="application/json"):
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def do_GET(self):
        self.answer(404, b"{}")

    do_HEAD = do_GET

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if "/messages" not in self.path or "count_tokens" in self.path:
            return self.answer(200, b'{"input_tokens":1}')
        request = json.loads(body)
        Handler.number += 1
        parts = list(events(request, Handler.number))
        if request.get("stream"):
            lines = ("event: %s\ndata: %s\n\n" % (t, json.dumps({"type": t, **d})) for t, d in parts)
            return self.answer(200, "".join(lines).encode(), "text/event-stream")
        text = [{"type": "text", "text": "done"}]
        message = {**parts[0][1]["message"], "content": text, "stop_reason": "end_turn"}
        return self.answer(200, json.dumps(message).encode())


loopback_up()
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
with open(sys.argv[1] + ".new", "w") as port:
    port.write(str(server.server_port))
os.rename(sys.argv[1] + ".new", sys.argv[1])
server.serve_forever()
