import type { BenchContext, BenchPart, PartResult } from './bench-part.js';
import { startAlone, startInAll, startNginx } from './candidate.js';
import { writeReport } from './report.js';
import { runRelays } from './relay-run.js';
import { WORKLOADS } from './workload.js';

/** nginx, the gateway alone and the whole product in one process, on the same upstream stand-in. */
export const relayPart: BenchPart = {
  name: 'relays',
  about: 'nginx, the gateway alone and the whole product in one process, interleaved',
  async run(context: BenchContext): Promise<PartResult> {
    const wanted = new Set(context.options.candidates ?? ['nginx', 'alone', 'all']);
    const run = await runRelays(context, {
      workloads: WORKLOADS,
      start: async (settings, add) => {
        const nginx = wanted.has('nginx') ? await startNginx(settings) : undefined;
        if (nginx) add(nginx);
        else context.say('nginx is not measured, so there are no ratios to it. Debian: apt-get install nginx-light');
        if (wanted.has('alone')) add(await startAlone(settings));
        if (wanted.has('all')) add(await startInAll(settings));
      },
    });
    const { slices, ...about } = run;
    return { report: writeReport(run), whole: run.whole && run.machine.nginx !== 'not installed', slices, about };
  },
};
