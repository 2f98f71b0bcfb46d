import type { Logger } from '@tokone/telemetry';

/** What has been opened, closed again in the reverse order, each once, whatever the others do. */
export class OpenedParts {
  private readonly parts: { name: string; close: () => unknown }[] = [];
  private closing: Promise<void> | undefined;

  constructor(private readonly logger: Logger) {}

  /** Returns the part, so that it can be added where it is made. */
  add<Part>(name: string, part: Part, close: (part: Part) => unknown): Part {
    this.parts.push({ name, close: () => close(part) });
    return part;
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
