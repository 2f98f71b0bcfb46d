// node tools/documents.mjs: writes the documents that are generated from tables.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ensureBuilt } from './build.mjs';
import { ensureInstalled } from './install.mjs';
import { findNode24 } from './node24.mjs';
import { isMain, Refusal, runScript, workspaceRoot } from './workspace.mjs';

const documents = [
  { path: 'docs/errors.md', module: 'libs/protocol/dist/refusal/error-document.js', write: 'documentErrors' },
  { path: 'docs/events.md', module: 'libs/events/dist/event-document.js', write: 'documentEvents' },
  { path: 'docs/metrics.md', module: 'libs/telemetry/dist/metrics/metric-document.js', write: 'documentMetrics' },
  { path: 'docs/configuration.md', module: 'apps/standalone/dist/configuration-document.js', write: 'documentConfiguration' },
  { path: 'docs/services.md', module: 'tools/service-document.mjs', write: 'documentServices' },
];

/** @param {{ module: string, write: string }} document */
function textOf({ module, write }) {
  const program = `const { ${write} } = await import('./${module}'); process.stdout.write(await ${write}(process.cwd()));`;
  // The product's own modules need the product's Node, which may not be the one that runs this.
  const { status, stdout, stderr } = spawnSync(findNode24(), ['--input-type=module', '-e', program], { cwd: workspaceRoot, encoding: 'utf8' });
  if (status !== 0) throw new Refusal(`${module} could not be run:\n${stderr}`);
  return stdout;
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    await ensureInstalled();
    await ensureBuilt();
    for (const document of documents) writeFileSync(join(workspaceRoot, document.path), textOf(document));
    return 0;
  });
}
