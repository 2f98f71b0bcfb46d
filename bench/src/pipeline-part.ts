import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFlatPrices } from '@tokone/testing';
import type { BenchContext, BenchPart, PartResult } from './bench-part.js';
import { BenchServers } from './bench-servers.js';
import { Deployment } from './deployment.js';
import { makePayingAccounts } from './paying-accounts.js';
import { writePipelineReport } from './pipeline-report.js';
import type { PipelineRun, PipelineSlice } from './pipeline-report.js';
import { checkTotals, countPostings, postingsReach } from './posted-charges.js';
import { ProcessorMeter } from './processor-meter.js';
import { ProfiledService } from './profiled-service.js';
import type { SpoolTotals } from './spool-content.js';
import { SpoolProgram } from './spool-program.js';

const DELIVERIES = 300_000;
const QUICK_DELIVERIES = 20_000;
const REPEATED_SHARE = 0.05;
const ACCOUNTS = 1_000;
const QUICK_ACCOUNTS = 100;
const TOP_UP_USD = 10_000;
const CYCLES = 3;
/** The first events of new processes are not what they do in the long run. */
const WARM_UP_SHARE = 0.5;
const POSTING_DEADLINE_MS = 300_000;

/** spool → shipper → Kafka → billing → Kafka → ledger, as fast as it goes, one process each. */
export const pipelinePart: BenchPart = {
  name: 'pipeline',
  about: 'events per second from the spool to the ledger, totals verified, and where the processor time goes',
  async run(context: BenchContext): Promise<PartResult> {
    const { options, machine, folder } = context;
    const accounts = options.quick ? QUICK_ACCOUNTS : ACCOUNTS;
    const deliveries = options.events ?? (options.quick ? QUICK_DELIVERIES : DELIVERIES);
    const cycles = options.cycles ?? (options.quick ? 1 : CYCLES);
    const prices = await writeFlatPrices();
    const servers = await BenchServers.start(folder);
    try {
      const deployment = await Deployment.start(servers, { name: 'pipeline', folder, env: { TOKONE_ADAPTERS: 'in-process', TOKONE_PRICES_FILE: prices.path } });
      try {
        const field = { context, deployment, accounts, deliveries, cycles };
        const slices = await Promise.race([measure(field), context.interrupted]);
        const run: PipelineRun = { machine, accounts, repeatedShare: REPEATED_SHARE, slices };
        const whole = !options.quick && options.events === undefined && options.profile === undefined;
        return { report: writePipelineReport(run), whole, slices, about: { machine, accounts, repeatedShare: REPEATED_SHARE } };
      } finally {
        await deployment.stop();
      }
    } finally {
      await servers.stop();
      await prices.folder.remove();
      await rm(join(folder, 'servers'), { recursive: true, force: true });
    }
  },
};

interface Field {
  context: BenchContext;
  deployment: Deployment;
  accounts: number;
  deliveries: number;
  cycles: number;
}

async function measure({ context, deployment, accounts, deliveries, cycles }: Field): Promise<PipelineSlice[]> {
  const { options, folder, say } = context;
  const accountIds = await makePayingAccounts(deployment.services, accounts, String(TOP_UP_USD));
  const program = await SpoolProgram.start(join(folder, 'spool'), options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`]);
  const totals: SpoolTotals[] = [];
  const slices: PipelineSlice[] = [];
  try {
    for (let cycle = -1; cycle < cycles; cycle++) {
      const planned = Math.ceil(cycle < 0 ? deliveries * WARM_UP_SHARE : deliveries);
      const filled = await program.fill({ deliveries: planned, repeatedShare: REPEATED_SHARE, accountIds, seed: cycle + 7 });
      totals.push(filled);
      const profiled = cycle === cycles - 1 && options.profile !== undefined ? await ProfiledService.start(await deployment.services.services(), { app: options.profiled, folder: options.profile }) : undefined;
      const slice = await measureSlice({ deployment, program, filled, cycle, deliveries: planned });
      await profiled?.stop();
      await checkTotals(deployment, { totals, topUpNanoUsd: BigInt(TOP_UP_USD) * 1_000_000_000n });
      say(`pipeline ${cycle < 0 ? 'warm-up' : cycle}: ${slice.eventsPerSecond.toFixed(0)} events/s, ${slice.cpuUs.toFixed(1)} µs, ${(slice.foreignShare * 100).toFixed(0)} % foreign, load ${slice.load}: totals right`);
      if (cycle >= 0) slices.push(slice);
    }
    return slices;
  } finally {
    await program.close();
  }
}

interface SliceInput {
  deployment: Deployment;
  program: SpoolProgram;
  filled: SpoolTotals;
  cycle: number;
  deliveries: number;
}

async function measureSlice({ deployment, program, filled, cycle, deliveries }: SliceInput): Promise<PipelineSlice> {
  const { view, services } = deployment;
  const before = await countPostings(view);
  const rowsBefore = Number((await view.pool.query<{ rows: string }>('SELECT count(*)::text AS rows FROM billing.usage')).rows[0]?.rows ?? 0);
  const walBefore = await walPosition(deployment);
  const meter = await ProcessorMeter.start(async () => [...(await deployment.processes()), { label: 'shipper', processId: program.processId }]);
  const shipping = program.ship(services.kafka);
  const [{ startedAtMs, shippedAtMs }, postedAtMs] = await Promise.all([shipping, postingsReach(view, before + filled.events, POSTING_DEADLINE_MS).then(() => Date.now())]);
  const spending = await meter.stop();
  const walBytes = (await walPosition(deployment)) - walBefore;
  const perEvent = (us: number) => us / filled.events;
  const { bench: _bench, ...ours } = spending.spentUs;
  // What this measurement asks the database meanwhile is not the product's.
  delete ours['PostgreSQL: test view'];
  const elapsedMs = postedAtMs - startedAtMs;
  return {
    cycle,
    deliveries,
    events: filled.events,
    eventBytes: filled.eventBytes,
    rowsBefore,
    elapsedMs,
    shippedMs: shippedAtMs - startedAtMs,
    eventsPerSecond: (deliveries / elapsedMs) * 1_000,
    cpuUs: perEvent(Object.values(ours).reduce((sum, us) => sum + us, 0)),
    cpuUsBy: Object.fromEntries(Object.entries(ours).map(([label, us]) => [label, perEvent(us)])),
    walBytes: perEvent(walBytes),
    foreignShare: spending.foreignShare,
    load: spending.load,
  };
}

async function walPosition({ view }: Deployment): Promise<number> {
  const { rows } = await view.pool.query<{ bytes: string }>("SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::text AS bytes");
  return Number(rows[0]?.bytes ?? 0);
}
