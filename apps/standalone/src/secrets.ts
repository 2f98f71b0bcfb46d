import { randomBytes } from 'node:crypto';
import { link, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { StartupError } from '@tokone/persistence';

export interface Secrets {
  /** Keys are stored as HMAC under it. */
  pepper: Buffer;
  /** Provider credentials are sealed with it. */
  sealingKey: Buffer;
  /** What the command line shows to the management API. */
  operatorToken: string;
}

/** Random on the first start, kept in the data folder with mode 0600, outside the database: a dump of it opens nothing. */
export async function readSecrets(dataFolder: string): Promise<Secrets> {
  const [pepper, sealingKey, operatorToken] = await Promise.all([
    readSecret(join(dataFolder, 'pepper')),
    readSecret(join(dataFolder, 'credential-key')),
    readSecret(join(dataFolder, 'operator-token')),
  ]);
  return { pepper, sealingKey, operatorToken: operatorToken.toString('base64url') };
}

const SECRET_BYTES = 32;

async function readSecret(path: string): Promise<Buffer> {
  const secret = (await readIfThere(path)) ?? (await createSecret(path));
  if (secret.length === SECRET_BYTES) return secret;
  throw new StartupError(`${path} is damaged: it should hold ${SECRET_BYTES} bytes in base64url. Bring it back from a backup; keys and credentials made with it cannot be used without it.`);
}

async function readIfThere(path: string): Promise<Buffer | undefined> {
  try {
    return Buffer.from((await readFile(path, 'utf8')).trim(), 'base64url');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Linked into place only when it is whole: a kill in between leaves no half secret. */
async function createSecret(path: string): Promise<Buffer> {
  const secret = randomBytes(SECRET_BYTES);
  const draft = `${path}.${process.pid}`;
  const file = await open(draft, 'wx', 0o600);
  try {
    await file.writeFile(`${secret.toString('base64url')}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await link(draft, path);
  await rm(draft);
  return secret;
}
