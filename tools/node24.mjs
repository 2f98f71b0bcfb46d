// The product runs on Node 24, which comes as a package; the machine's own Node may be older.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Refusal, workspaceRoot } from './workspace.mjs';

const wantedMajor = 24;

/**
 * @param {{ root?: string, current?: { execPath: string, version: string } }} [options]
 * @returns {string} path of a Node of version 24 or later
 * @throws {Refusal} when there is none
 */
export function findNode24({ root = workspaceRoot, current = { execPath: process.execPath, version: process.versions.node } } = {}) {
  const installed = installedNode(root);
  if (installed !== undefined) return installed;
  if (majorOf(current.version) >= wantedMajor) return current.execPath;
  throw new Refusal(
    `TokOne runs on Node ${wantedMajor}; this is Node ${current.version}, and there is no packaged Node for ${process.platform} ${process.arch}. ` +
      `Install Node ${wantedMajor} or later from nodejs.org and try again.`,
  );
}

/**
 * The version comes from the package's own manifest: asking the binary would cost every start 40 ms.
 * @param {string} root
 * @returns {string | undefined}
 */
function installedNode(root) {
  const link = join(root, 'node_modules', '.bin', 'node');
  if (!existsSync(link)) return undefined;
  const binary = realpathSync(link);
  const manifest = join(dirname(binary), '..', 'package.json');
  if (!existsSync(manifest)) return undefined;
  const { version } = JSON.parse(readFileSync(manifest, 'utf8'));
  return majorOf(String(version)) >= wantedMajor ? binary : undefined;
}

/**
 * @param {string} version
 * @returns {number}
 */
export function majorOf(version) {
  return Number.parseInt(version, 10);
}
