import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { partitionOf } from '@tokone/events';
import { MIXED, QUICK } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { PipelineEnds } from '../fixtures/pipeline-ends.js';
import { CLEAN, FEWER_PROCESSES, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;
const ROUNDS = 2;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
let ends: PipelineEnds;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, env: FEWER_PROCESSES, servers: { kafka: { brokers: 3 } } });
  ends = new PipelineEnds(deployment.services.kafka);
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`one of three brokers, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

/** The node that leads most of the partitions into which this load's usage goes. */
async function busiestLeader(): Promise<number> {
  const admin = ends.connection.admin();
  await admin.connect();
  try {
    const { topics } = await admin.fetchTopicMetadata({ topics: [ends.connection.topic('usage.recorded')] });
    const loaded = new Set(deployment.accountIds.map((accountId) => partitionOf(accountId)));
    const led = new Map<number, number>();
    for (const { partitionId, leader } of topics[0]?.partitions ?? []) if (loaded.has(partitionId)) led.set(leader, (led.get(leader) ?? 0) + 1);
    const [busiest] = [...led].sort(([, one], [, other]) => other - one);
    if (!busiest) throw new Error('no broker leads a partition with load');
    return busiest[0];
  } finally {
    await admin.disconnect();
  }
}

describe('one of three brokers', () => {
  it(`K17: the leader of loaded partitions is killed under load and comes back, ${ROUNDS} times: nobody is refused, nothing is lost or charged twice`, async () => {
    const load = deployment.startLoad({ clients: CLIENTS, shapes: [...MIXED, ...QUICK] });
    await deployment.ended(load, random.integer(40, 80));
    for (let round = 0; round < ROUNDS; round++) {
      const nodeId = await busiestLeader();
      const broker = deployment.servers.kafka.brokers.find((each) => each.nodeId === nodeId);
      await broker?.kill();
      await deployment.ended(load, random.integer(60, 150));
      await broker?.start();
      await deployment.ended(load, random.integer(20, 60));
    }
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 300_000);
});
