// An MCP server without tools: `server.js NAME MODE`, as server.py.
const fs = require('fs');
const [name, mode] = process.argv.slice(2);
require('readline').createInterface({ input: process.stdin }).on('line', line => {
  const request = JSON.parse(line);
  if (request.id === undefined) return;
  const results = {
    'initialize': () => ({ protocolVersion: request.params.protocolVersion, capabilities: { tools: {} },
                           serverInfo: { name, version: '1' } }),
    'tools/list': () => ({ tools: [] }),
  };
  const result = (results[request.method] ?? (() => ({})))();
  process.stdout.write(JSON.stringify({ jsonrpc: '2.0', id: request.id, result }) + '\n');
});
process.stdout.on('error', () => {});
if (mode !== 'good') setInterval(() => {}, 60000);
fs.writeFileSync(`pids/${name}.new`, String(process.pid));
fs.renameSync(`pids/${name}.new`, `pids/${name}`);
