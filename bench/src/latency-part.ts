import { once } from 'node:events';
import { findMoneyFaults } from '@tokone/testing';
import type { BenchContext, BenchPart, PartResult } from './bench-part.js';
import { BenchServers } from './bench-servers.js';
import { paidBy, startProgram, stopProgram } from './candidate.js';
import { Deployment } from './deployment.js';
import { writeLatencyReport } from './latency-report.js';
import type { LatencySlice } from './latency-report.js';
import type { EndedAnswer, LoadOrder, LoadResult } from './load-run.js';
import { ProcessorMeter } from './processor-meter.js';
import { percentile } from './statistics.js';
import { workloadNamed } from './workload.js';
import type { Workload } from './workload.js';

const REQUESTS_PER_SECOND = 300;
const QUICK_REQUESTS_PER_SECOND = 30;
const CONNECTIONS = 512;
const SLICE_MS = 20_000;
const QUICK_SLICE_MS = 4_000;
const WARM_UP_MS = 5_000;
const CYCLES = 3;
const ANSWER_DEADLINE_MS = 120_000;

/** From the end of an answer at its client to the commit of its charge, through gateway, adapter, billing and account. */
export const latencyPart: BenchPart = {
  name: 'latency',
  about: 'time from an answer to its posted charge, at 300 requests per second',
  async run(context: BenchContext): Promise<PartResult> {
    const { options, machine, folder } = context;
    const servers = await BenchServers.start(folder);
    const upstream = await startProgram('./upstream-main.js');
    const load = await startProgram('./load-main.js');
    try {
      const deployment = await Deployment.start(servers, { name: 'latency', folder, env: { TOKONE_OPENAI_UPSTREAM_URL: `http://127.0.0.1:${upstream.port}` } });
      try {
        const slices = await Promise.race([measure(context, deployment, load.child), context.interrupted]);
        const faults = await findMoneyFaults({ databaseUrl: deployment.databaseUrl, truth: [] });
        if (faults.length > 0) throw new Error(`The money is wrong: ${faults.slice(0, 5).join('; ')}`);
        return { report: writeLatencyReport({ machine, slices }), whole: !options.quick, slices, about: { machine, requestsPerSecond: REQUESTS_PER_SECOND } };
      } finally {
        await deployment.stop();
      }
    } finally {
      await stopProgram(load.child);
      await stopProgram(upstream.child);
      await servers.stop();
    }
  },
};

async function measure({ options, say }: BenchContext, deployment: Deployment, load: Awaited<ReturnType<typeof startProgram>>['child']): Promise<LatencySlice[]> {
  const { port, key, settled } = await paidBy(deployment.services);
  const slices: LatencySlice[] = [];
  const cycles = options.cycles ?? (options.quick ? 1 : CYCLES);
  for (let cycle = -1; cycle < cycles; cycle++) {
    const sliceMs = cycle < 0 ? WARM_UP_MS : options.quick ? QUICK_SLICE_MS : SLICE_MS;
    const workload: Workload = { ...workloadNamed('small'), connections: CONNECTIONS, requestsPerSecond: options.quick ? QUICK_REQUESTS_PER_SECOND : REQUESTS_PER_SECOND, sliceMs };
    const meter = await ProcessorMeter.start(() => deployment.processes());
    const answered = once(load, 'message', { signal: AbortSignal.timeout(ANSWER_DEADLINE_MS) });
    load.send({ port, key, workload, keepAnswers: true } satisfies LoadOrder);
    const [result] = (await answered) as [LoadResult];
    await settled();
    const { spentUs, foreignShare, load: loadAverage } = await meter.stop();
    if (result.faults.length > 0) throw new Error(`Wrong answers: ${result.faults.join('; ')}`);
    const lagsMs = await postingLags(deployment, result.answers ?? []);
    const slice: LatencySlice = {
      cycle,
      requests: result.requests,
      requestsPerSecond: (result.requests / sliceMs) * 1_000,
      answerMs: result.latencyMs,
      postedMs: { p50: percentile(lagsMs, 50), p99: percentile(lagsMs, 99), max: percentile(lagsMs, 100) },
      cpuUsBy: Object.fromEntries(Object.entries(spentUs).filter(([label]) => label !== 'bench' && !label.endsWith('test view')).map(([label, us]) => [label, us / result.requests])),
      foreignShare,
      load: loadAverage,
    };
    say(`latency ${cycle < 0 ? 'warm-up' : cycle}: ${slice.requests} requests, posted after p50 ${slice.postedMs.p50.toFixed(0)} p99 ${slice.postedMs.p99.toFixed(0)} max ${slice.postedMs.max.toFixed(0)} ms, ${(foreignShare * 100).toFixed(0)} % foreign, load ${loadAverage}`);
    if (cycle >= 0) slices.push(slice);
  }
  return slices;
}

/** Both ends by the clock of this machine: the client's read of the last byte, and the commit that holds the charge. */
async function postingLags({ view }: Deployment, answers: readonly EndedAnswer[]): Promise<number[]> {
  const { rows } = await view.pool.query<{ id: string; committed: number }>(
    'SELECT id, (extract(epoch FROM pg_xact_commit_timestamp(xmin)) * 1000)::float8 AS committed FROM account.transfers WHERE id = ANY($1::uuid[])',
    [answers.map(({ id }) => id)],
  );
  const committed = new Map(rows.map((row) => [row.id, row.committed]));
  return answers.map(({ id, endedAtMs }) => {
    const atMs = committed.get(id);
    if (atMs === undefined) throw new Error(`the answer ${id} was not charged`);
    return atMs - endedAtMs;
  });
}
