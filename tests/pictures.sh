#!/bin/sh
# Draws the pictures of the README: pictures.sh DEMO. Each is what a real terminal showed: the end of
# the demo, and the question of cleanup_leaked_agents.sh as the test of hazard 68 meets it.
set -eu

demo=$1
cd "$(dirname "$0")/.."
scratch=$(mktemp -d)
trap 'tmux -S "$scratch/socket" kill-server 2>/dev/null; rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install --quiet rich

draw() { # TITLE FILE: from a screen with escapes on standard input
    "$scratch/venv/bin/python" -c '
import io, re, sys
from rich.console import Console
from rich.text import Text
lines = sys.stdin.read().rstrip().splitlines()
console = Console(record=True, width=80, file=io.StringIO(), force_terminal=True)
for line in lines:
    console.print(Text.from_ansi(line), no_wrap=True)
svg = console.export_svg(title=sys.argv[1], unique_id="terminal")
# No fonts from elsewhere, and no trace of the tool.
svg = re.sub(r"\s*<!--.*?-->|\s*@font-face \{.*?\}", "", svg, flags=re.S)
svg = svg.replace("Fira Code", "monospace").replace("font-family: arial", "font-family: sans-serif")
open(sys.argv[2], "w").write(svg)' "$1" "$2"
}

# Below a tmux server that is not asked, what the demo leaks might be in one of its panes.
sh tests/below-init.sh --if-needed "$demo" >"$scratch/demo"
tmux -f /dev/null -S "$scratch/socket" new-session -d -x 80 -y 30 \
    "clear; cat '$scratch/demo'; touch '$scratch/shown'; exec sleep 1000"
until [ -e "$scratch/shown" ]; do sleep 0.1; done
sleep 0.5
tmux -S "$scratch/socket" capture-pane -p -e | draw 'make demo' tests/pictures/demo.svg

built=$(dirname "$demo")/..
rm -f "$built/plan.screen"
AGENTUTILS_PICTURE=plan.screen cargo test --quiet -p agentutils --locked --test tests -- \
    h68_the_plan_and_the_question_are_on_a_screen_of_80_columns
draw cleanup_leaked_agents.sh tests/pictures/plan.svg <"$built/plan.screen"
rm "$built/plan.screen"
