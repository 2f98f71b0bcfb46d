import type { AccountDirectory, GroupRecord } from '@tokone/account-client';
import type { Logger } from '@tokone/telemetry';
import type { GroupList } from './gateway-context.js';

const REFRESH_MS = 5_000;

/** All groups, read again every 5 s. They are few; refusals and model lists need them at once. */
export class GroupCache implements GroupList {
  private groups: readonly GroupRecord[] = [];
  private timer: NodeJS.Timeout | undefined;
  private reading: Promise<void> | undefined;
  private wanted = false;

  constructor(
    private readonly directory: AccountDirectory,
    private readonly logger: Logger,
  ) {}

  /** Reads the groups once; rejects when that fails. */
  async start(): Promise<void> {
    this.groups = await this.directory.groups();
    this.timer = setInterval(() => void this.refreshNow(), REFRESH_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  current(): readonly GroupRecord[] {
    return this.groups;
  }

  /** Resolves when the groups were read by a question that began after this call, or could not be read. */
  refreshNow(): Promise<void> {
    this.wanted = true;
    this.reading ??= this.readWhileWanted();
    return this.reading;
  }

  /** One question at a time: an older answer cannot come after a newer one. */
  private async readWhileWanted(): Promise<void> {
    while (this.wanted) {
      this.wanted = false;
      await this.read();
    }
    // In the same step as the last look: a call that comes next must not join a reading that is over.
    this.reading = undefined;
  }

  private async read(): Promise<void> {
    try {
      this.groups = await this.directory.groups();
    } catch (error) {
      this.logger.warn({ cause: String(error) }, 'groups could not be read; the last ones stay');
    }
  }
}
