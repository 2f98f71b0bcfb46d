import type { BenchContext, BenchPart, PartResult } from './bench-part.js';
import { startAlone, startProgram, stopProgram } from './candidate.js';
import type { Candidate } from './candidate.js';
import { MEASURING_CPU, pin } from './pinning.js';
import { runRelays } from './relay-run.js';
import { writeEyesReport } from './eyes-report.js';
import { workloadNamed } from './workload.js';

const CYCLES = 8;
const WORKLOADS = ['small', 'burst'].map(workloadNamed);

/** The gateway alone: as it is, with metrics, with the spans of one request of a hundred, and with those of all. */
export const eyesPart: BenchPart = {
  name: 'eyes',
  about: 'the gateway alone without metrics and traces, with metrics, with traces of 1 % and of all requests, interleaved',
  async run(context: BenchContext): Promise<PartResult> {
    const { options, machine } = context;
    const receiver = await startProgram('./receiver-main.js');
    if (machine.pinned) pin(receiver.child.pid ?? 0, MEASURING_CPU);
    const lost = new Map<string, number>();
    /** How many spans it lost is asked at its end. */
    const counted = (candidate: Candidate): Candidate => ({
      ...candidate,
      stop: async () => {
        lost.set(candidate.name, (await candidate.lostSpans?.()) ?? 0);
        await candidate.stop();
      },
    });
    const endpoint = `http://127.0.0.1:${receiver.port}`;
    try {
      const run = await runRelays(
        { ...context, options: { ...options, cycles: options.cycles ?? (options.quick ? 2 : CYCLES) } },
        {
          workloads: WORKLOADS,
          start: async (settings, add) => {
            add(counted(await startAlone(settings, 'bare')));
            add(counted(await startAlone(settings, 'metrics', { metrics: true })));
            add(counted(await startAlone(settings, '1 %', { traces: { endpoint, ratio: 0.01 } })));
            add(counted(await startAlone(settings, '100 %', { traces: { endpoint, ratio: 1 } })));
          },
        },
      );
      const { slices, whole, ...about } = run;
      return { report: writeEyesReport(run, lost), whole, slices, about };
    } finally {
      await stopProgram(receiver.child);
    }
  },
};
