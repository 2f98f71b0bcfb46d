import { open, rename } from 'node:fs/promises';

/** Replaces a file as a whole, readable by its owner alone. */
export async function writePrivateFile(path: string, content: string): Promise<void> {
  const draft = `${path}.new`;
  const file = await open(draft, 'w', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(content);
  } finally {
    await file.close();
  }
  await rename(draft, path);
}
