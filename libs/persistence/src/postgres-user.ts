import { execFile } from 'node:child_process';
import { chmod, cp, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { type PostgresBinaries, binariesIn } from './postgres-binaries.js';
import { StartupError } from './startup-error.js';

/** Nothing of ours goes to the database's processes: neither provider keys nor PG* variables that would redirect it. */
const POSTGRES_ENVIRONMENT = { LC_ALL: 'C', TZ: 'UTC', PATH: '/usr/bin:/bin:/usr/sbin:/sbin' };
const PROBE_TIMEOUT_MS = 10_000;
const TRAVERSE_BY_ALL = 0o011;
const run = promisify(execFile);

export interface PostgresCommand {
  file: string;
  arguments: string[];
  options: { uid?: number; gid?: number; cwd: string; env: Record<string, string> };
}

/** As whom PostgreSQL runs, which refuses to be root. */
export interface PostgresUser {
  /** Owner of its files, as seen by us. */
  uid: number;
  gid: number;
  binaries: PostgresBinaries;
  /** How to run a program as this user; the process that is spawned becomes the program, with the same id. */
  command(file: string, args: readonly string[]): PostgresCommand;
}

export interface PostgresUserChoice {
  dataFolder: string;
  binaries: PostgresBinaries;
  /** False passes over user namespaces, as on machines that refuse them. */
  userNamespaces: boolean;
}

/**
 * We ourselves unless we are root. Root first becomes the owner of the data folder, so that it stays usable without
 * root. In a folder of its own it is mapped to nobody in a user namespace, which also works where only root may enter.
 * Where namespaces are refused, as in a Docker container: postgres or nobody, whoever can enter the data folder.
 * @throws StartupError when nobody suits, or the binaries do not run on this machine.
 */
export async function choosePostgresUser(choice: PostgresUserChoice): Promise<PostgresUser> {
  const { binaries, dataFolder } = choice;
  const uid = process.getuid?.() ?? -1;
  if (uid !== 0) {
    const user = { ...plainUser(uid, process.getgid?.() ?? -1), binaries };
    const failure = await probe(user, dataFolder, binaries.postgres);
    if (failure === undefined) return user;
    throw new StartupError(`PostgreSQL's program ${binaries.postgres} does not run on this machine: ${failure}.`);
  }
  const owner = await stat(dataFolder);
  const candidates = owner.uid === 0 ? [] : [plainUser(owner.uid, owner.gid)];
  if (choice.userNamespaces && process.platform === 'linux') candidates.push(namespaceUser());
  for (const candidate of candidates) {
    const user = { ...candidate, binaries };
    if ((await probe(user, dataFolder, binaries.postgres)) === undefined) return user;
  }
  return chooseOtherUser(dataFolder, binaries);
}

async function chooseOtherUser(dataFolder: string, binaries: PostgresBinaries): Promise<PostgresUser> {
  const owner = await stat(dataFolder);
  // The folder's other files are 0600 each, so that others may pass through it but read nothing.
  if (owner.uid === 0) await chmod(dataFolder, owner.mode | TRAVERSE_BY_ALL);
  const candidates = owner.uid === 0 ? [] : [{ uid: owner.uid, gid: owner.gid }];
  for (const name of ['postgres', 'nobody']) candidates.push(...(await lookUp(name)));
  for (const { uid, gid } of candidates) {
    const user = plainUser(uid, gid);
    if ((await probe({ ...user, binaries }, dataFolder, binaries.postgres)) === undefined) return { ...user, binaries };
    if ((await probe({ ...user, binaries }, dataFolder, 'true')) !== undefined) continue;
    const copied = await copyBinaries(binaries, dataFolder);
    if ((await probe({ ...user, binaries: copied }, dataFolder, copied.postgres)) === undefined) return { ...user, binaries: copied };
  }
  if (owner.uid === 0) await chmod(dataFolder, owner.mode);
  throw new StartupError(
    `PostgreSQL refuses to run as root and no other user can enter ${dataFolder}: run TokOne as a normal user, or set TOKONE_DATA_DIR to a folder that other users may pass through, such as /var/lib/tokone.`,
  );
}

function plainUser(uid: number, gid: number): Omit<PostgresUser, 'binaries'> {
  const identity = uid === process.getuid?.() ? {} : { uid, gid };
  return {
    uid,
    gid,
    command: (file, args) => ({
      file,
      arguments: [...args],
      options: { ...identity, cwd: '/', env: POSTGRES_ENVIRONMENT },
    }),
  };
}

function namespaceUser(): Omit<PostgresUser, 'binaries'> {
  return {
    uid: 0,
    gid: process.getgid?.() ?? 0,
    command: (file, args) => ({
      file: 'unshare',
      arguments: ['--user', '--map-user=65534', '--map-group=65534', '--', file, ...args],
      options: { cwd: '/', env: POSTGRES_ENVIRONMENT },
    }),
  };
}

/** Undefined when the user can enter the data folder and run the program there, else why not. */
async function probe(user: PostgresUser, dataFolder: string, program: string): Promise<string | undefined> {
  const { file, arguments: args, options } = user.command('/bin/sh', [
    '-c',
    'cd "$1" && exec "$2" --version',
    'probe',
    dataFolder,
    program,
  ]);
  try {
    await run(file, args, { ...options, timeout: PROBE_TIMEOUT_MS });
    return undefined;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    return (stderr || message).trim().split('\n').at(-1);
  }
}

/** The user's ids by name, or none; `id` also knows users that are not in /etc/passwd. */
async function lookUp(name: string): Promise<{ uid: number; gid: number }[]> {
  const ids: number[] = [];
  for (const option of ['-u', '-g']) {
    try {
      ids.push(Number((await run('id', [option, name], { timeout: PROBE_TIMEOUT_MS })).stdout));
    } catch {
      return [];
    }
  }
  const [uid, gid] = ids;
  return uid === undefined || gid === undefined || !(uid > 0) ? [] : [{ uid, gid }];
}

/** For a program folder that only root may enter. One copy per version of the package, in the data folder. */
async function copyBinaries(binaries: PostgresBinaries, dataFolder: string): Promise<PostgresBinaries> {
  const build = (await stat(binaries.postgres)).size;
  const folder = join(dataFolder, `postgres-binaries-${basename(dirname(binaries.folder))}-${build}`);
  const exists = await stat(folder).then(
    () => true,
    () => false,
  );
  if (!exists) {
    const draft = `${folder}.unfinished`;
    await rm(draft, { recursive: true, force: true });
    await cp(binaries.folder, draft, { recursive: true, verbatimSymlinks: true });
    await chmod(draft, 0o755);
    await rename(draft, folder);
  }
  return binariesIn(folder);
}
