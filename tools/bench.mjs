// npm run bench: installs and builds what is missing, then runs the program below bench/ under Node 24.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';
import { findNode24 } from './node24.mjs';
import { runScript, workspaceRoot } from './workspace.mjs';

await runScript(async () => {
  await ensureInstalled();
  await ensureBuilt();
  const node = findNode24();
  const run = (/** @type {string[]} */ args) => spawnSync(node, args, { cwd: workspaceRoot, stdio: 'inherit' }).status ?? 1;
  // Not part of the product's build: only who measures needs it.
  const built = run([join('node_modules', 'typescript7', 'bin', 'tsc'), '-b', 'bench']);
  return built === 0 ? run([join('bench', 'dist', 'main.js'), ...process.argv.slice(2)]) : built;
});
