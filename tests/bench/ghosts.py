"""What guide.py would remove, once these zombie sessions are gone."""

import json
import subprocess
import sys

registry_path, socket, *zombies = sys.argv[1:]
result = subprocess.run(['tmux', '-S', socket, 'ls'], capture_output=True, text=True)
active_sessions = {line.split(':')[0] for line in result.stdout.strip().split('\n') if 'agent_' in line}
active_sessions -= set(zombies)
with open(registry_path) as f:
    registry = json.load(f)
for aid, adata in registry['agents'].items():
    if adata.get('tmux_session', '') not in active_sessions:
        print('agent', aid)
