import type { AccountDirectory, GroupRecord } from '@tokone/account-client';
import type { Logger } from '@tokone/telemetry';
import type { GroupList } from './gateway-context.js';

const REFRESH_MS = 5_000;

/** All groups, read again every 5 s. They are few; refusals and model lists need them at once. */
export class GroupCache implements GroupList {
  private groups: readonly GroupRecord[] = [];
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly directory: AccountDirectory,
    private readonly logger: Logger,
  ) {}

  /** Reads the groups once; rejects when that fails. */
  async start(): Promise<void> {
    this.groups = await this.directory.groups();
    this.timer = setInterval(() => void this.refresh(), REFRESH_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  current(): readonly GroupRecord[] {
    return this.groups;
  }

  private async refresh(): Promise<void> {
    try {
      this.groups = await this.directory.groups();
    } catch (error) {
      this.logger.warn({ cause: String(error) }, 'groups could not be read; the last ones stay');
    }
  }
}
