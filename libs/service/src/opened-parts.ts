import type { Logger } from '@tokone/telemetry';

/** What has been opened, closed again in the reverse order, each once, whatever the others do. */
export class OpenedParts {
  private readonly parts: { name: string; close: () => unknown }[] = [];
  private closing: Promise<void> | undefined;

  constructor(
    private readonly logger: Logger,
    private readonly stop: AbortSignal,
  ) {}

  /**
   * Returns the part, so that it can be added where it is made.
   * @throws the reason of the stop signal when somebody asked to stop: nothing more is opened then.
   */
  add<Part>(name: string, part: Part, close: (part: Part) => unknown): Part {
    this.parts.push({ name, close: () => close(part) });
    this.stop.throwIfAborted();
    return part;
  }

  /** The result of `work`, or the reason of the stop signal, whichever comes first. What is waited for must need no end. */
  async whileWanted<Result>(work: Promise<Result>): Promise<Result> {
    const end = new AbortController();
    const stopped = new Promise<never>((_resolve, reject) => {
      const refuse = (): void => reject(this.stop.reason as Error);
      if (this.stop.aborted) refuse();
      else this.stop.addEventListener('abort', refuse, { signal: end.signal });
    });
    try {
      return await Promise.race([work, stopped]);
    } finally {
      end.abort();
    }
  }

  close(): Promise<void> {
    this.closing ??= this.closeAll();
    return this.closing;
  }

  private async closeAll(): Promise<void> {
    for (let part = this.parts.pop(); part; part = this.parts.pop()) {
      try {
        await part.close();
      } catch (error) {
        this.logger.error({ part: part.name, cause: String(error) }, 'could not be closed in order');
      }
    }
  }
}
