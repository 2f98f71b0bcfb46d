// node tools/compose-env.mjs: writes .env for docker-compose.yml, with a random value for each secret.
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, Refusal, runScript, say, workspaceRoot } from './workspace.mjs';

const hex = () => randomBytes(32).toString('hex');
const base64url = () => randomBytes(32).toString('base64url');

/**
 * In the form that each is read in; nothing that a URL would have to escape.
 * @type {Readonly<Record<string, () => string>>}
 */
export const composeSecrets = {
  TOKONE_INTERNAL_SECRET: hex,
  TOKONE_KEY_PEPPER: base64url,
  TOKONE_SEALING_KEY: base64url,
  TOKONE_OPERATOR_TOKEN: hex,
  POSTGRES_PASSWORD: hex,
  ACCOUNT_DATABASE_PASSWORD: hex,
  BILLING_DATABASE_PASSWORD: hex,
  REDIS_PASSWORD: hex,
  GRAFANA_PASSWORD: hex,
};

/**
 * @param {string} example text of deploy/compose.env.example
 * @returns {string} the same with a value for each secret
 */
export function fillSecrets(example) {
  return Object.entries(composeSecrets).reduce((text, [name, make]) => text.replace(new RegExp(`^${name}=$`, 'm'), `${name}=${make()}`), example);
}

/**
 * Never over one that exists: its secrets belong to the volumes of a deployment.
 * @param {string} root
 * @returns {string} the path of the file
 * @throws {Refusal}
 */
export function writeComposeEnv(root) {
  const path = join(root, '.env');
  try {
    writeFileSync(path, fillSecrets(readFileSync(join(root, 'deploy', 'compose.env.example'), 'utf8')), { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (/** @type {NodeJS.ErrnoException} */ (error).code !== 'EEXIST') throw error;
    throw new Refusal(`${path} exists, and its secrets belong to a deployment: nothing was changed.`);
  }
  return path;
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    say(`Wrote ${writeComposeEnv(workspaceRoot)}. Keep it as you keep the volumes.`);
    return 0;
  });
}
