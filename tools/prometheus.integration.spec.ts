// What only Prometheus itself can say of its files, by promtool.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, cpSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { workspaceRoot } from './workspace.mjs';

const files = (folder: string): string[] => readdirSync(join(workspaceRoot, 'deploy/prometheus', folder)).map((file) => `${folder}/${file}`);

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tokone-prometheus-'));
  cpSync(join(workspaceRoot, 'deploy/prometheus'), folder, { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true }));

/** @throws Error where there is no promtool, with what to install */
function promtool(...args: string[]): { status: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync('promtool', args, { cwd: folder, encoding: 'utf8', timeout: 240_000 });
  if (error !== undefined) throw new Error('There is no promtool on this machine: install it (apt-get install prometheus; the server itself is not needed).', { cause: error });
  return { status, output: `${stdout}\n${stderr}` };
}

describe('deploy/prometheus', () => {
  it('is a configuration that Prometheus takes, with its rules', () => {
    const { status, output } = promtool('check', 'config', 'prometheus.yml');
    expect([status, output]).toEqual([0, expect.stringContaining(`SUCCESS: ${files('rules').length} rule files found`)]);
  });

  it('has rules that promtool takes', () => {
    expect(promtool('check', 'rules', '--lint=all', '--lint-fatal', ...files('rules'))).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') });
  });

  it.each(files('tests'))('does as %s says', (test) => {
    expect(promtool('test', 'rules', test)).toEqual({ status: 0, output: expect.stringContaining('SUCCESS') });
  });

  it.each([
    ['fires too late', 'rules/pipeline.yml', 'gw_spool_oldest_seconds > 60\n', 'gw_spool_oldest_seconds > 6000\n', 'tests/pipeline.yml'],
    ['fires where all is well', 'rules/pipeline.yml', 'gw_spool_oldest_seconds > 60\n', 'gw_spool_oldest_seconds >= 0\n', 'tests/healthy.yml'],
  ])('would be found with an alert that %s', (_title, file, from, to, test) => {
    const text = readFileSync(join(folder, file), 'utf8');
    expect(text).toContain(from);
    writeFileSync(join(folder, file), text.replace(from, to));
    expect(promtool('test', 'rules', test)).toEqual({ status: 1, output: expect.stringContaining('FAILED') });
  });
});
