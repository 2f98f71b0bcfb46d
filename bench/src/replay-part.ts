import { FLAT_MODELS, callRaw, waitFor, writeCall, writeFlatPrices } from '@tokone/testing';
import type { BenchContext, BenchPart, PartResult } from './bench-part.js';
import { BenchServers } from './bench-servers.js';
import { Deployment } from './deployment.js';
import { currentLoad } from './machine.js';
import { makePayingAccounts } from './paying-accounts.js';
import { POSTED_POLL_MS, checkTotals, countPostings, postingsReach } from './posted-charges.js';
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
const DEADLINE_MS = 300_000;
/** Of a tenant that asks for more: its refusal says that its balance could be read. */
const LITTLE_USD = '0.000001';

/** A gateway that finds its spool full of what was never shipped: no account is opened before all of it is posted. */
export const replayPart: BenchPart = {
  name: 'replay',
  about: 'start of a gateway on a spool with 100,000 records that were never shipped',
  async run(context: BenchContext): Promise<PartResult> {
    const { options, machine, folder } = context;
    const prices = await writeFlatPrices();
    const servers = await BenchServers.start(folder);
    try {
      const deployment = await Deployment.start(servers, { name: 'replay', folder, env: { TOKONE_ADAPTERS: 'in-process', TOKONE_PRICES_FILE: prices.path } });
      const slices = await Promise.race([measure(context, deployment, servers), context.interrupted]);
      return { report: writeReplayReport({ machine, slices }), whole: !options.quick && options.events === undefined, slices, about: { machine } };
    } finally {
      await servers.stop();
      await prices.folder.remove();
    }
  },
};

async function measure({ options, say }: BenchContext, first: Deployment, servers: BenchServers): Promise<ReplaySlice[]> {
  const records = options.events ?? (options.quick ? QUICK_RECORDS : RECORDS);
  const slices: ReplaySlice[] = [];
  const totals: SpoolTotals[] = [];
  let deployment = first;
  let running = true;
  try {
    const accountIds = await makePayingAccounts(deployment.services, options.quick ? QUICK_ACCOUNTS : ACCOUNTS, String(TOP_UP_USD));
    const cycles = options.cycles ?? (options.quick ? 1 : CYCLES);
    const { key } = await deployment.services.tenant(LITTLE_USD, 'openai');
    await accountOpens(deployment, key);
    for (let cycle = 0; cycle < cycles; cycle++) {
      running = false;
      await deployment.stop();
      deployment = await deployment.startAgain();
      const emptyMs = deployment.readyAtMs - (await startedAt(deployment));
      const posted = await countPostings(deployment.view);
      await deployment.stop();
      const filled = await fillSpoolOf(deployment, { records, accountIds, seed: cycle + 1 });
      totals.push(filled);
      await servers.restartRedis();
      deployment = await deployment.startAgain();
      running = true;
      const startedAtMs = await startedAt(deployment);
      const readyMs = deployment.readyAtMs - startedAtMs;
      const [openAtMs, postedAtMs] = await Promise.all([accountOpens(deployment, key), postingsReach(deployment.view, posted + filled.events, DEADLINE_MS).then(() => Date.now())]);
      const [openMs, postedMs] = [openAtMs - startedAtMs, postedAtMs - startedAtMs];
      if (openMs < postedMs - POSTED_POLL_MS) throw new Error(`An account was opened ${postedMs - openMs} ms before everything was posted.`);
      await checkTotals(deployment, { totals, topUpNanoUsd: BigInt(TOP_UP_USD) * 1_000_000_000n });
      const slice = { cycle, records, emptyMs, readyMs, openMs, postedMs, recordsPerSecond: (records / postedMs) * 1_000, load: currentLoad() };
      say(`replay ${cycle}: ready after ${readyMs.toFixed(0)} ms, ${emptyMs.toFixed(0)} ms with an empty spool, all posted after ${slice.postedMs.toFixed(0)}, an account open again after ${slice.openMs.toFixed(0)}, load ${slice.load}: totals right`);
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

/** Of the gateway's process, the last one to start. Milliseconds since 1970. */
async function startedAt(deployment: Deployment): Promise<number> {
  const startedAtMs = processStartedAtMs(await deployment.processId('gateway'));
  if (startedAtMs === undefined) throw new Error('the gateway is gone');
  return startedAtMs;
}

/** When an account is judged by its balance: until it is open its requests are 503. */
async function accountOpens({ services }: Deployment, key: string): Promise<number> {
  const call = writeCall('openai', key, { model: FLAT_MODELS.openai, prompt: 'hello', stream: false, outputLimit: 1_000 });
  const isJudged = async (): Promise<boolean> => {
    const { status } = await callRaw({ url: services.addresses.baseUrl + call.path, headers: call.headers, body: call.body });
    if (status !== 402 && status !== 503) throw new Error(`the request of a poor tenant was answered ${status}`);
    return status === 402;
  };
  await waitFor(isJudged, { what: 'an account to be opened', deadlineMs: DEADLINE_MS, intervalMs: 20 });
  return Date.now();
}
