// Runs one server and ends it when its owner is gone, even by kill -9: a pipe whose other end is closed tells.
// Standard input carries the names of signals for the server, one a line; standard output says in JSON, one a line, that
// the server runs (`pid`), that it could not be started (`failure`), or how it ended (`code`, `signal`).
import { spawn } from 'node:child_process';
import { closeSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

const { file, args, env, workingFolder, logFile, guardFile, orphanGraceMs } = JSON.parse(process.argv[2] ?? '{}');

writeFileSync(guardFile, String(process.pid), { mode: 0o600 });
const log = openSync(logFile, 'a', 0o600);
const server = spawn(file, args, { cwd: workingFolder, env, stdio: ['ignore', log, log] });
closeSync(log);

let running = true;
// Without its owner nobody reads any more, which is no reason to leave the server alone.
process.stdout.on('error', () => undefined);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

server.once('spawn', () => say({ pid: server.pid }));
server.once('error', (error) => {
  if (server.pid === undefined) end({ failure: error.message });
});
server.once('exit', (code, signal) => end({ code, signal }));

// Only a parent may be sure of a process id: it is free for others once the parent has taken note of the end.
createInterface({ input: process.stdin }).on('line', (name) => {
  if (running) server.kill(name);
});
process.stdin.once('close', endServer);
for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP']) process.on(name, endServer);

function endServer() {
  if (!running) return;
  server.kill('SIGCONT');
  server.kill('SIGTERM');
  setTimeout(() => running && server.kill('SIGKILL'), orphanGraceMs);
}

function end(event) {
  running = false;
  rmSync(guardFile, { force: true });
  say(event);
  process.exit(0);
}
