import { randomBytes } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '@tokone/persistence';
import { readFileIfThere, writePrivateFile } from '@tokone/service';

export interface Secrets {
  /** Keys are stored as HMAC under it. */
  pepper: Buffer;
  /** Provider credentials are sealed with it. */
  sealingKey: Buffer;
  /** What the command line shows to the management API. */
  operatorToken: string;
}

const SECRET_BYTES = 32;

/**
 * Random on the first start, kept in the data folder with mode 0600, outside the database: a dump of it opens nothing.
 * They are made before the database is. Where it stands already, a new pepper would make every key in it useless, and
 * a new credential key every credential: that is refused.
 * @throws StartupError when one is missing beside its database, or is damaged.
 */
export async function readSecrets(dataFolder: string): Promise<Secrets> {
  const databaseStands = await exists(join(dataFolder, 'cluster'));
  const pepper = await readSecret(join(dataFolder, 'pepper'), !databaseStands);
  const sealingKey = await readSecret(join(dataFolder, 'credential-key'), !databaseStands);
  const operatorToken = await readSecret(join(dataFolder, 'operator-token'), true);
  return { pepper, sealingKey, operatorToken: operatorToken.toString('base64url') };
}

async function readSecret(path: string, mayBeMade: boolean): Promise<Buffer> {
  const text = await readFileIfThere(path);
  if (text === undefined && mayBeMade) return createSecret(path);
  const secret = Buffer.from((text ?? '').trim(), 'base64url');
  if (secret.length === SECRET_BYTES) return secret;
  const fault = text === undefined ? 'is missing' : 'is damaged';
  throw new StartupError(`${path} ${fault}, and the keys and credentials in the database beside it are useless without it: restore that file from your backup.`);
}

async function createSecret(path: string): Promise<Buffer> {
  const secret = randomBytes(SECRET_BYTES);
  await writePrivateFile(path, `${secret.toString('base64url')}\n`);
  return secret;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
