import type { ServerResponse } from 'node:http';
import type { Answer } from './answer.js';
import type { Dialect, Identity, Prompt } from './dialect.js';
import type { Directives } from './directives.js';
import type { Outlet } from './outlet.js';
import { Refusal } from './refusal.js';
import type { Outcome, TruthEntry } from './truth.js';

export interface Pace {
  readonly chunkDelayMs: number;
  readonly chunkTokens: number;
}

/** One accepted request with everything that is needed to serve it. */
export interface Exchange {
  readonly dialect: Dialect;
  readonly prompt: Prompt;
  readonly directives: Directives;
  readonly identity: Identity;
  readonly response: ServerResponse;
  readonly entry: TruthEntry;
  readonly pace: Pace;
  readonly now: () => number;
}

/** An exchange whose answer has begun. */
export interface Service {
  readonly exchange: Exchange;
  readonly answer: Answer;
  readonly outlet: Outlet;
}

export async function stall(service: Service): Promise<Outcome> {
  service.exchange.entry.outcome = 'stalled';
  await service.outlet.stall();
  return 'stalled';
}

export async function cut(service: Service): Promise<Outcome> {
  service.exchange.entry.outcome = 'cut';
  await service.outlet.cut();
  return 'cut';
}

/** The truth says how it ended before the client can have seen the end. */
export function finish(service: Service, outcome: Outcome): Outcome {
  service.exchange.entry.outcome = outcome;
  service.outlet.end();
  return outcome;
}

/** The error that an event inside a stream reports. */
export function streamRefusal({ directives, dialect }: Exchange): Refusal {
  return new Refusal(directives.number('status') ?? dialect.overloadedStatus);
}
