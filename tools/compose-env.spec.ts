import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { internalSecret, secretBytes } from '@tokone/http';
import { composeSecrets, fillSecrets, writeComposeEnv } from './compose-env.mjs';
import { readComposeFile, readEnvFile, variablesIn } from './image/compose-file.js';
import { workspaceRoot } from './workspace.mjs';

const example = readFileSync(join(workspaceRoot, 'deploy/compose.env.example'), 'utf8');
const variables = variablesIn(JSON.stringify(readComposeFile(workspaceRoot)));

describe('deploy/compose.env.example', () => {
  it('carries no secret, so that nobody runs on one that others know', () => {
    const given = readEnvFile(example);
    for (const name of Object.keys(composeSecrets)) expect([name, given[name]]).toEqual([name, '']);
  });

  it('names only what docker-compose.yml reads', () => {
    // Compose itself reads its profiles.
    const read = new Set([...variables.map(({ name }) => name), 'COMPOSE_PROFILES']);
    expect(Object.keys(readEnvFile(example)).filter((name) => !read.has(name))).toEqual([]);
  });
});

describe('compose-env', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tokone-compose-env-'));
    mkdirSync(join(root, 'deploy'));
    writeFileSync(join(root, 'deploy/compose.env.example'), example);
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('fills exactly the secrets that docker-compose.yml demands', () => {
    const demanded = new Set(variables.filter(({ isRequired }) => isRequired).map(({ name }) => name));
    expect([...demanded].sort()).toEqual(Object.keys(composeSecrets).sort());
  });

  it('makes values that the services take, each its own, each time others', () => {
    const [one, two] = [readEnvFile(fillSecrets(example)), readEnvFile(fillSecrets(example))];
    const values = Object.keys(composeSecrets).flatMap((name) => [one[name], two[name]]);
    expect(new Set(values).size).toBe(2 * Object.keys(composeSecrets).length);
    expect(() => internalSecret('').read(one['TOKONE_INTERNAL_SECRET'])).not.toThrow();
    for (const name of ['TOKONE_KEY_PEPPER', 'TOKONE_SEALING_KEY']) expect(secretBytes('').read(one[name])).toHaveLength(32);
    for (const value of values) expect(value).toBe(encodeURIComponent(value ?? ''));
  });

  it('writes a file that only its owner may read', () => {
    expect(statSync(writeComposeEnv(root)).mode & 0o777).toBe(0o600);
  });

  it('leaves a file alone that exists', () => {
    writeFileSync(join(root, '.env'), 'KEPT=yes\n');
    expect(() => writeComposeEnv(root)).toThrow(/nothing was changed/);
    expect(readFileSync(join(root, '.env'), 'utf8')).toBe('KEPT=yes\n');
  });
});
