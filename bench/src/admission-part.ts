import { startRedis } from '@tokone/testing';
import type { RedisServer } from '@tokone/testing';
import { mapDriver, redisDriver } from './admission-driver.js';
import type { AdmissionDriver } from './admission-driver.js';
import { writeAdmissionReport } from './admission-report.js';
import type { AdmissionSlice } from './admission-report.js';
import { AdmissionRun } from './admission-run.js';
import type { BenchContext, BenchPart, PartResult } from './bench-part.js';
import { MEASURED_CPU, MEASURING_CPU, pin } from './pinning.js';
import { ProcessorMeter } from './processor-meter.js';
import { ScriptCount } from './script-count.js';
import { percentile } from './statistics.js';

const LANES = [1, 64];
const CYCLES = 6;
const QUICK_CYCLES = 2;
const SLICE_MS = 3_000;
const QUICK_SLICE_MS = 1_000;
const WARM_UP_CYCLE = -1;

/** Reserve and settle on a Map, on Redis, and on Redis with limits, taking turns. */
export const admissionPart: BenchPart = {
  name: 'admission',
  about: 'reserve and settle on a Map, on Redis, and on Redis with all limits, interleaved',
  async run(context: BenchContext): Promise<PartResult> {
    const { options, machine, folder, interrupted } = context;
    const redis = await startRedis({ folder, docker: false });
    const drivers: AdmissionDriver[] = [];
    try {
      if (machine.pinned) {
        pin(redis.processId ?? 0, MEASURED_CPU);
        pin(process.pid, MEASURING_CPU);
      }
      drivers.push(mapDriver());
      for (const name of ['Redis', 'Redis, all limits'] as const) drivers.push(await redisDriver(redis.url, name));
      const slices = await Promise.race([measure(context, redis, drivers), interrupted]);
      return { report: writeAdmissionReport({ machine, slices }), whole: !options.quick, slices, about: { machine } };
    } finally {
      for (const driver of drivers) await driver.close();
      await redis.discard();
    }
  },
};

async function measure({ options, say }: BenchContext, redis: RedisServer, drivers: readonly AdmissionDriver[]): Promise<AdmissionSlice[]> {
  const slices: AdmissionSlice[] = [];
  const runs = drivers.map((driver) => ({ driver, run: new AdmissionRun(driver) }));
  const scripts = await ScriptCount.open(redis.url);
  try {
    const cycles = options.cycles ?? (options.quick ? QUICK_CYCLES : CYCLES);
    for (let cycle = WARM_UP_CYCLE; cycle < cycles; cycle++) {
      for (const lanes of LANES) {
        for (const { driver, run } of cycle % 2 === 0 ? runs : runs.toReversed()) {
          const slice = await measureSlice({ driver, run, scripts, redis }, { cycle, lanes, sliceMs: options.quick ? QUICK_SLICE_MS : SLICE_MS });
          if (cycle === WARM_UP_CYCLE) continue;
          slices.push(slice);
          say(`${cycle} ${driver.name.padEnd(16)} ${String(lanes).padStart(3)} at a time: ${slice.requestsPerSecond.toFixed(0).padStart(7)}/s, reserve p50 ${slice.reserveMs.p50.toFixed(3)} p99 ${slice.reserveMs.p99.toFixed(3)} ms, ${slice.callerCpuUs.toFixed(1)} + ${slice.redisCpuUs.toFixed(1)} µs, ${slice.scriptUs.toFixed(1)} µs per script, ${(slice.foreignShare * 100).toFixed(0)} % foreign`);
        }
      }
    }
  } finally {
    await scripts.close();
  }
  return slices;
}

interface Measured {
  driver: AdmissionDriver;
  run: AdmissionRun;
  scripts: ScriptCount;
  redis: RedisServer;
}

async function measureSlice({ driver, run, scripts, redis }: Measured, { cycle, lanes, sliceMs }: { cycle: number; lanes: number; sliceMs: number }): Promise<AdmissionSlice> {
  const watched = [{ label: 'caller', processId: process.pid }, ...(redis.processId === undefined ? [] : [{ label: 'Redis', processId: redis.processId }])];
  const before = await scripts.read();
  const meter = await ProcessorMeter.start(() => Promise.resolve(watched));
  const { requests, elapsedMs, reserveMs, settleMs } = await run.measure(lanes, sliceMs);
  const { spentUs, foreignShare, load } = await meter.stop();
  const after = await scripts.read();
  const ran = after.calls - before.calls;
  return {
    cycle,
    driver: driver.name,
    lanes,
    requests,
    requestsPerSecond: (requests / elapsedMs) * 1_000,
    reserveMs: { p50: percentile(reserveMs, 50), p99: percentile(reserveMs, 99) },
    settleMs: { p50: percentile(settleMs, 50), p99: percentile(settleMs, 99) },
    callerCpuUs: (spentUs['caller'] ?? 0) / requests,
    redisCpuUs: (spentUs['Redis'] ?? 0) / requests,
    scriptsPerSecond: (ran / elapsedMs) * 1_000,
    scriptUs: ran > 0 ? (after.us - before.us) / ran : 0,
    foreignShare,
    load,
  };
}
