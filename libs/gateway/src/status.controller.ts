import { Controller, Get, HttpException, Inject } from '@nestjs/common';
import { Gateway } from './gateway.js';

/** What admission holds right now. */
export interface OutstandingHolds {
  /** Running requests with a hold. */
  held: number;
  /** Closed requests that the ledger has not posted yet. */
  settled: number;
  heldNanoUsd: bigint;
}

/** Where the status takes the holds from; a class so that Nest can hand it over. */
export class HoldsView {
  constructor(readonly read: () => OutstandingHolds) {}
}

/** Liveness and readiness, on the management listener. */
@Controller('/health')
export class StatusController {
  constructor(
    @Inject(Gateway) private readonly gateway: Gateway,
    @Inject(HoldsView) private readonly holds: HoldsView,
  ) {}

  @Get('/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  /** 503 while starting, draining, or unable to record usage, with a sentence for each. */
  @Get('/ready')
  ready(): Record<string, unknown> {
    const { held, settled, heldNanoUsd } = this.holds.read();
    const problems = this.gateway.problems();
    const missing = Object.keys(problems).length > 0;
    const status = {
      status: missing ? 'not_ready' : 'ok',
      ...(missing && { problems }),
      running: this.gateway.running.size,
      recording: this.gateway.ports.spool.accepting,
      holds: { held, settled, heldNanoUsd: heldNanoUsd.toString() },
    };
    if (missing) throw new HttpException(status, 503);
    return status;
  }
}
