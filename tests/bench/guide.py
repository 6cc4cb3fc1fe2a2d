"""The Python of the cleanup guide, on a registry and a tmux socket that are given."""

import json
import subprocess
import sys

registry_path, socket = sys.argv[1:]

# Get active sessions
result = subprocess.run(['tmux', '-S', socket, 'ls'], capture_output=True, text=True)
active_sessions = {line.split(':')[0] for line in result.stdout.strip().split('\n') if 'agent_' in line}

# Load and clean registry
with open(registry_path) as f:
    registry = json.load(f)

# Remove ghost agents
registry['agents'] = {
    aid: adata for aid, adata in registry['agents'].items()
    if adata.get('tmux_session', '') in active_sessions
}

# Update counts
registry['total_agents_spawned'] = len(registry['agents'])
registry['active_agents'] = sum(1 for a in registry['agents'].values()
                                if a.get('status') not in ['completed', 'terminated'])

# Save
with open(registry_path, 'w') as f:
    json.dump(registry, f, indent=2)
