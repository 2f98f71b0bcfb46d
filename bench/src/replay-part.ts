import { writeFlatPrices } from '@tokone/testing';
import type { BenchContext, BenchPart, PartResult } from './bench-part.js';
import { BenchServers } from './bench-servers.js';
import { Deployment } from './deployment.js';
import { currentLoad } from './machine.js';
import { makePayingAccounts } from './paying-accounts.js';
import { checkTotals } from './posted-charges.js';
import { processStartedAtMs } from './process-tree.js';
import { writeReplayReport } from './replay-report.js';
import type { ReplaySlice } from './replay-report.js';
import type { SpoolTotals } from './spool-content.js';
import { SpoolProgram } from './spool-program.js';

const RECORDS = 100_000;
const QUICK_RECORDS = 5_000;
const ACCOUNTS = 1_000;
const QUICK_ACCOUNTS = 50;
const TOP_UP_USD = 10_000;
const CYCLES = 3;

/** A gateway that finds its spool full of what was never shipped: ready only when all of it is posted. */
export const replayPart: BenchPart = {
  name: 'replay',
  about: 'start of a gateway on a spool with 100,000 records that were never shipped',
  async run(context: BenchContext): Promise<PartResult> {
    const { options, machine, folder } = context;
    const prices = await writeFlatPrices();
    const servers = await BenchServers.start(folder);
    try {
      const deployment = await Deployment.start(servers, { name: 'replay', folder, env: { TOKONE_ADAPTERS: 'in-process', TOKONE_PRICES_FILE: prices.path } });
      const slices = await Promise.race([measure(context, deployment), context.interrupted]);
      return { report: writeReplayReport({ machine, slices }), whole: !options.quick && options.events === undefined, slices, about: { machine } };
    } finally {
      await servers.stop();
      await prices.folder.remove();
    }
  },
};

async function measure({ options, say }: BenchContext, first: Deployment): Promise<ReplaySlice[]> {
  const records = options.events ?? (options.quick ? QUICK_RECORDS : RECORDS);
  const slices: ReplaySlice[] = [];
  const totals: SpoolTotals[] = [];
  let deployment = first;
  let running = true;
  try {
    const accountIds = await makePayingAccounts(deployment.services, options.quick ? QUICK_ACCOUNTS : ACCOUNTS, String(TOP_UP_USD));
    for (let cycle = 0; cycle < (options.cycles ?? (options.quick ? 1 : CYCLES)); cycle++) {
      running = false;
      await deployment.stop();
      deployment = await deployment.startAgain();
      const emptyMs = await readyAfterMs(deployment);
      await deployment.stop();
      const filled = await fillSpoolOf(deployment, { records, accountIds, seed: cycle + 1 });
      totals.push(filled);
      deployment = await deployment.startAgain();
      running = true;
      const fullMs = await readyAfterMs(deployment);
      await checkTotals(deployment, { totals, topUpNanoUsd: BigInt(TOP_UP_USD) * 1_000_000_000n });
      const slice = { cycle, records, emptyMs, fullMs, recordsPerSecond: (records / (fullMs - emptyMs)) * 1_000, load: currentLoad() };
      say(`replay ${cycle}: ready after ${fullMs.toFixed(0)} ms, ${emptyMs.toFixed(0)} ms with an empty spool, load ${slice.load}: totals right`);
      slices.push(slice);
    }
    return slices;
  } finally {
    if (running) await deployment.stop();
  }
}

async function fillSpoolOf({ services }: Deployment, { records, accountIds, seed }: { records: number; accountIds: readonly string[]; seed: number }): Promise<SpoolTotals> {
  const program = await SpoolProgram.start(services.spoolFolder);
  try {
    return await program.fill({ deliveries: records, repeatedShare: 0, accountIds, seed });
  } finally {
    await program.close();
  }
}

/** From the start of the gateway's process to its ready line, which was just seen: it is the last service to start. */
async function readyAfterMs(deployment: Deployment): Promise<number> {
  const startedAtMs = processStartedAtMs(await deployment.processId('gateway'));
  if (startedAtMs === undefined) throw new Error('the gateway is gone');
  return deployment.readyAtMs - startedAtMs;
}
