import { Controller, Get, HttpException, Inject, Module } from '@nestjs/common';
import type { DynamicModule } from '@nestjs/common';

/** One part that must work before the service takes work. */
export interface HealthCheck {
  name: string;
  /** Undefined: it works. Else what is wrong, as a sentence without secrets. */
  problem(): Promise<string | undefined> | string | undefined;
}

/** A part that does not answer is one that does not work. */
const CHECK_TIMEOUT_MS = 2_000;

/** The parts of a service, asked side by side. */
export class HealthChecks {
  constructor(
    private readonly checks: readonly HealthCheck[],
    /** Further fields of the report. */
    readonly report: () => Record<string, unknown> = () => ({}),
  ) {}

  /** Name of each part that does not work → what is wrong. */
  async problems(): Promise<Record<string, string>> {
    const found = await Promise.all(this.checks.map(async (check) => [check.name, await problemOf(check)] as const));
    return Object.fromEntries(found.filter((entry): entry is [string, string] => entry[1] !== undefined));
  }
}

async function problemOf({ problem }: HealthCheck): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`It does not answer within ${CHECK_TIMEOUT_MS} ms.`), CHECK_TIMEOUT_MS);
  });
  try {
    return await Promise.race([problem(), late]);
  } catch {
    // What a driver says may name hosts and users, and whoever asks need not prove who he is.
    return 'It fails.';
  } finally {
    clearTimeout(timer);
  }
}

@Controller('/health')
class HealthController {
  constructor(@Inject(HealthChecks) private readonly checks: HealthChecks) {}

  @Get('/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** 503 with the parts that are missing while the service cannot do its work. */
  @Get('/ready')
  async ready(): Promise<Record<string, unknown>> {
    const problems = await this.checks.problems();
    const missing = Object.keys(problems).length > 0;
    const status = { status: missing ? 'not_ready' : 'ok', ...(missing && { problems }), ...this.checks.report() };
    if (missing) throw new HttpException(status, 503);
    return status;
  }
}

/** `/health/live` and `/health/ready` of a service, for its management listener. */
@Module({})
export class HealthModule {
  static with(checks: HealthChecks): DynamicModule {
    return { module: HealthModule, controllers: [HealthController], providers: [{ provide: HealthChecks, useValue: checks }] };
  }
}
