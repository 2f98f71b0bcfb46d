import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { z } from 'zod';

/** A sentence for the operator; no stack is shown. */
export class CommandError extends Error {}

const noteSchema = z.object({ url: z.url(), token: z.string() });
const errorSchema = z.object({ error: z.object({ message: z.string() }) });
const DEADLINE_MS = 15_000;

/** The management API of the TokOne that runs on a data folder, found by the note that it keeps there. */
export class ManagementClient {
  private constructor(private readonly note: z.infer<typeof noteSchema>) {}

  /** Throws a `CommandError` when no TokOne has run on the folder. */
  static async of(dataFolder: string): Promise<ManagementClient> {
    const path = join(resolve(dataFolder), 'operator.json');
    try {
      return new ManagementClient(noteSchema.parse(JSON.parse(await readFile(path, 'utf8'))));
    } catch (error) {
      throw new CommandError(`${notRunning(dataFolder)} (${(error as NodeJS.ErrnoException).code ?? 'its note'}: ${path})`);
    }
  }

  /** Throws a `CommandError` with the API's own sentence when it refuses. */
  async call(method: 'GET' | 'POST', path: string, body?: unknown): Promise<unknown> {
    const answer = await this.send(method, path, body);
    const text = await answer.text();
    if (answer.ok) return text === '' ? {} : JSON.parse(text);
    const refusal = errorSchema.safeParse(parseOrUndefined(text));
    throw new CommandError(refusal.success ? refusal.data.error.message : `TokOne answered with status ${answer.status}.`);
  }

  private async send(method: string, path: string, body: unknown): Promise<Response> {
    const { url, token } = this.note;
    try {
      return await fetch(new URL(path, url), {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
    } catch (cause) {
      throw new CommandError(`TokOne does not answer at ${url}. Is it running? Start it with npm start, with the same TOKONE_DATA_DIR.`, { cause });
    }
  }
}

function notRunning(dataFolder: string): string {
  return `No TokOne runs on the data folder ${resolve(dataFolder)}. Start it with npm start, or set TOKONE_DATA_DIR to the folder that it uses.`;
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
