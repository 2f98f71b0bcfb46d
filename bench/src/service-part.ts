import type { BenchContext, BenchOptions, BenchPart, PartResult } from './bench-part.js';
import { BenchServers } from './bench-servers.js';
import { paidBy, startInAll, startNginx } from './candidate.js';
import type { Candidate, CandidateOptions } from './candidate.js';
import { Deployment } from './deployment.js';
import { ProfiledService } from './profiled-service.js';
import { runRelays } from './relay-run.js';
import { writeServiceReport } from './service-report.js';
import { workloadNamed } from './workload.js';

const CYCLES = 4;
/** Kafka's machine code takes as long to become fast as ours; what runs for weeks is measured, not its first half minute. */
const WARM_UP_CYCLES = 4;
/** Each candidate is several processes, whose code takes longer to become fast than that of one. */
const WORKLOADS = ['small', 'burst', 'body-1m'].map((name) => ({ ...workloadNamed(name), sliceMs: 3 * workloadNamed(name).sliceMs }));

type ServicesName = 'one process' | 'two gateways' | 'two processes';

/** Gateway and adapter as two processes against one, and two gateways against one, as services on real servers; nginx and the standalone beside them. */
export const servicePart: BenchPart = {
  name: 'services',
  about: 'gateway and adapter as two processes, as one, as one twice, nginx and the standalone, interleaved',
  async run(context: BenchContext): Promise<PartResult> {
    const { options } = context;
    const wanted = new Set(options.candidates ?? ['nginx', 'all', 'one', 'two', 'gateways']);
    const servers = await BenchServers.start(context.folder);
    try {
      const run = await runRelays(
        { ...context, options: { ...options, cycles: options.cycles ?? (options.quick ? 2 : CYCLES) } },
        {
          workloads: WORKLOADS,
          warmUpCycles: options.quick ? 1 : WARM_UP_CYCLES,
          start: async (settings, add) => {
            const nginx = wanted.has('nginx') ? await startNginx(settings) : undefined;
            if (nginx) add(nginx);
            else context.say('nginx is not measured, so there are no ratios to it. Debian: apt-get install nginx-light');
            if (wanted.has('all')) add(await startInAll(settings));
            if (wanted.has('one')) add(await startServices({ ...settings, servers, options }, 'one process'));
            if (wanted.has('two')) add(await startServices({ ...settings, servers, options }, 'two processes'));
            if (wanted.has('gateways')) add(await startServices({ ...settings, servers, options }, 'two gateways'));
          },
        },
      );
      const { slices, whole, ...about } = run;
      return { report: writeServiceReport(run), whole: whole && run.machine.nginx !== 'not installed', slices, about };
    } finally {
      await servers.stop();
    }
  },
};

interface Place extends CandidateOptions {
  servers: BenchServers;
  options: BenchOptions;
}

async function startServices({ servers, options, upstreamPort, folder }: Place, name: ServicesName): Promise<Candidate> {
  const env = { TOKONE_OPENAI_UPSTREAM_URL: `http://127.0.0.1:${upstreamPort}`, TOKONE_ADAPTERS: name === 'two processes' ? 'remote' : 'in-process' };
  const deployment = await Deployment.start(servers, { name: name.replace(' ', '-'), folder, env, gateways: name === 'two gateways' ? 2 : 1 });
  try {
    const gateway = { label: 'gateway', processId: await deployment.processId('gateway') };
    // The balancer in front of two is the supervisor's, a stand-in for that of a network: it does not count.
    const other = name === 'two gateways' ? [{ label: 'other gateway', processId: await deployment.processId('gateway', 2) }] : [];
    const adapter = name === 'two processes' ? [{ label: 'adapter', processId: await deployment.processId('openai-adapter') }] : [];
    const behind = [
      { label: 'billing', processId: await deployment.processId('billing') },
      { label: 'account', processId: await deployment.processId('account') },
      ...servers.brokers,
      ...servers.redisProcesses,
      { label: 'PostgreSQL', processId: servers.postmaster },
    ];
    const profiled = options.profile === undefined ? undefined : await ProfiledService.start(await deployment.services.services(), { app: options.profiled, folder: options.profile });
    const stop = async (): Promise<void> => {
      await profiled?.stop();
      await deployment.stop();
    };
    return { name, processes: [gateway, ...other, ...adapter], behind, memoryProcessId: gateway.processId, ...(await paidBy(deployment.services)), stop };
  } catch (error) {
    await deployment.stop();
    throw error;
  }
}
