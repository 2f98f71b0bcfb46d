import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { KafkaPlace } from '@tokone/testing';
import { startProgram, stopProgram } from './candidate.js';
import type { SpoolPlan, SpoolTotals } from './spool-content.js';
import type { SpoolAnswer, SpoolOrder } from './spool-main.js';

const ANSWER_DEADLINE_MS = 600_000;

/** The process that holds a spool for a measurement; its owner must close it. */
export class SpoolProgram {
  private constructor(private readonly child: ChildProcess) {}

  static async start(folder: string, nodeOptions: readonly string[] = []): Promise<SpoolProgram> {
    const { child } = await startProgram('./spool-main.js', [folder], nodeOptions);
    return new SpoolProgram(child);
  }

  get processId(): number {
    return this.child.pid ?? 0;
  }

  async fill(plan: SpoolPlan): Promise<SpoolTotals> {
    const answer = await this.order({ kind: 'fill', plan });
    if (!('totals' in answer)) throw new Error('the spool was not filled');
    return answer.totals;
  }

  /** Resolves when Kafka has everything. Milliseconds since 1970. */
  async ship({ brokers, topicPrefix }: KafkaPlace): Promise<{ startedAtMs: number; shippedAtMs: number }> {
    const answer = await this.order({ kind: 'ship', brokers, topicPrefix });
    if (!('shippedAtMs' in answer)) throw new Error('the spool was not shipped');
    return answer;
  }

  async close(): Promise<void> {
    if (this.child.connected) await this.order({ kind: 'close' });
    await stopProgram(this.child);
  }

  private async order(order: SpoolOrder): Promise<SpoolAnswer> {
    const signal = AbortSignal.timeout(ANSWER_DEADLINE_MS);
    const ended = once(this.child, 'exit', { signal }).then(() => Promise.reject(new Error('the program of the spool ended')));
    const answered = once(this.child, 'message', { signal });
    this.child.send(order);
    const [answer] = (await Promise.race([answered, ended])) as [SpoolAnswer];
    if ('fault' in answer) throw new Error(answer.fault);
    return answer;
  }
}
