import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** A sentence for the operator; no stack is shown. */
export class CommandError extends Error {}

/** The request was sent, and nothing came back: it may have been done or not. */
export class NoAnswerError extends CommandError {}

export interface ManagementRequest {
  method: 'GET' | 'POST';
  path: string;
  body?: object;
}

const noteSchema = z.object({ url: z.url(), token: z.string() });
const errorSchema = z.object({ error: z.object({ message: z.string() }) });
const DEADLINE_MS = 15_000;

/** The management API of the TokOne that runs on a data folder, found by the note that it keeps there. */
export class ManagementClient {
  private constructor(private readonly note: z.infer<typeof noteSchema>) {}

  /** Throws a `CommandError` when no TokOne runs on the folder, or another user's. */
  static async of(dataFolder: string): Promise<ManagementClient> {
    const path = join(dataFolder, 'operator.json');
    try {
      return new ManagementClient(noteSchema.parse(JSON.parse(await readFile(path, 'utf8'))));
    } catch (error) {
      const denied = (error as NodeJS.ErrnoException).code === 'EACCES';
      const sentence = denied
        ? `This user may not read ${path}: run this as the user who runs TokOne.`
        : `No TokOne runs on the data folder ${dataFolder}. Start it with npm start, or set TOKONE_DATA_DIR to the folder that it uses.`;
      throw new CommandError(sentence, { cause: error });
    }
  }

  /** Throws a `CommandError` with the API's own sentence when it refuses, a `NoAnswerError` when it does not answer. */
  async call(request: ManagementRequest): Promise<unknown> {
    const { status, text } = await this.send(request);
    const answer = parseOrUndefined(text);
    if (status >= 200 && status < 300 && answer !== undefined) return answer;
    if (status === 401) throw new CommandError(`What listens at ${this.note.url} is not the TokOne of this data folder. Start that one with npm start.`);
    const refusal = errorSchema.safeParse(answer);
    throw new CommandError(refusal.success ? refusal.data.error.message : `What listens at ${this.note.url} does not answer as TokOne does (status ${status}).`);
  }

  private async send({ method, path, body }: ManagementRequest): Promise<{ status: number; text: string }> {
    const { url, token } = this.note;
    try {
      const answer = await fetch(new URL(path, url), {
        method,
        headers: { authorization: `Bearer ${token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        redirect: 'manual',
        signal: AbortSignal.timeout(DEADLINE_MS),
      });
      return { status: answer.status, text: await answer.text() };
    } catch (cause) {
      const { code } = ((cause as Error).cause ?? {}) as NodeJS.ErrnoException;
      if (code === 'ECONNREFUSED') throw new CommandError(`TokOne does not answer at ${url}. Is it running? Start it with npm start, with the same TOKONE_DATA_DIR.`, { cause });
      throw new NoAnswerError(`TokOne at ${url} gave no answer, so that it is not known whether this was done.`, { cause });
    }
  }
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
