import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';

/** A sentence for the operator; no stack is shown. */
export class CommandError extends Error {}

/** The API refuses, and says why. */
export class RefusedError extends CommandError {
  constructor(
    readonly code: string | undefined,
    message: string,
  ) {
    super(message);
  }
}

/** The request was sent, and nothing came back, or that it failed: it may have been done or not. */
export class NoAnswerError extends CommandError {}

export interface ManagementRequest {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  body?: object;
}

/** Between services any of several addresses serves. */
const noteSchema = z.object({ url: z.url(), otherUrls: z.array(z.url()).default([]), token: z.string() });
const errorSchema = z.object({ error: z.object({ code: z.string().optional(), message: z.string() }) });
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
    const { url, status, text } = await this.send(request);
    const answer = parseOrUndefined(text);
    if (status >= 200 && status < 300 && answer !== undefined) return answer;
    if (status === 401) throw new CommandError(`What listens at ${url} is not the TokOne of this data folder. Start that one with npm start.`);
    const refusal = errorSchema.safeParse(answer);
    // A failure can come behind the commit, too: as with no answer at all, it may have been done.
    if (refusal.success && status >= 500) throw new NoAnswerError(refusal.data.error.message);
    if (refusal.success) throw new RefusedError(refusal.data.error.code, refusal.data.error.message);
    throw new CommandError(`What listens at ${url} does not answer as TokOne does (status ${status}).`);
  }

  /** Only an address that refused the connection leads to the next one: what was sent is not sent twice. */
  private async send(request: ManagementRequest): Promise<{ url: string; status: number; text: string }> {
    const urls = [this.note.url, ...this.note.otherUrls];
    let refusal: unknown;
    for (const url of urls) {
      try {
        return { url, ...(await this.sendTo(url, request)) };
      } catch (cause) {
        const { code } = ((cause as Error).cause ?? {}) as NodeJS.ErrnoException;
        if (code !== 'ECONNREFUSED') throw new NoAnswerError(`TokOne at ${url} gave no answer, so that it is not known whether this was done.`, { cause });
        refusal = cause;
      }
    }
    throw new CommandError(`TokOne does not answer at ${urls.join(' or ')}. Is it running? Start it with npm start, with the same TOKONE_DATA_DIR.`, { cause: refusal });
  }

  private async sendTo(url: string, { method, path, body }: ManagementRequest): Promise<{ status: number; text: string }> {
    const answer = await fetch(new URL(path, url), {
      method,
      headers: { authorization: `Bearer ${this.note.token}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      redirect: 'manual',
      signal: AbortSignal.timeout(DEADLINE_MS),
    });
    return { status: answer.status, text: await answer.text() };
  }
}

function parseOrUndefined(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
