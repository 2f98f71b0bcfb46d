import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { partitionOf, readUsageRecorded, writeUsageRecorded } from '@tokone/events';
import type { UsageRecorded } from '@tokone/events';
import { CarefulProducer } from '@tokone/messaging';
import type { ProducedRecord } from '@tokone/messaging';
import { waitFor } from '@tokone/testing';
import { MIXED, QUICK } from '../fixtures/load.js';
import { SeededRandom } from '../fixtures/seeded-random.js';
import { HeldRows } from '../fixtures/held-rows.js';
import { startAnother } from '../fixtures/own-service.js';
import { PipelineEnds } from '../fixtures/pipeline-ends.js';
import { freezeProcess } from '../fixtures/process-state.js';
import { CLEAN, FEWER_PROCESSES, ServicesDeployment } from '../fixtures/services-deployment.js';

const CLIENTS = 16;
const STORM_ROUNDS = 3;
const LEAST_REPEATED = 20;
const DEADLINE_MS = 60_000;

const random = SeededRandom.ofRun();
let deployment: ServicesDeployment;
let ends: PipelineEnds;
beforeAll(async () => {
  deployment = await ServicesDeployment.create({ random, env: FEWER_PROCESSES });
  ends = new PipelineEnds(deployment.services.kafka);
}, 400_000);
afterEach(() => deployment?.endLoads());
afterAll(async () => {
  process.stderr.write(`records that come twice or late, seed ${random.seed}: ${JSON.stringify({ requests: deployment?.calls.length })}\n`);
  await deployment?.dispose();
}, 240_000);

function produced(event: UsageRecorded): ProducedRecord {
  return { partition: partitionOf(event.accountId), key: event.accountId, value: writeUsageRecorded(event), headers: { id: event.id, schema: String(event.schema) } };
}

async function produce(events: readonly UsageRecorded[]): Promise<void> {
  const producer = new CarefulProducer(ends.connection);
  try {
    await producer.send(ends.connection.topic('usage.recorded'), events.map(produced));
  } finally {
    await producer.close();
  }
}

/** The events of the requests that have ended and are not rated yet. */
async function unratedEvents(): Promise<UsageRecorded[]> {
  const events = (await ends.messages('usage.recorded')).map(({ text }) => readUsageRecorded(text)).filter(({ outcome }) => outcome === 'completed');
  const rated = await deployment.query((pool) => pool.query<{ id: string }>('SELECT id FROM billing.usage'));
  const known = new Set(rated.rows.map(({ id }) => id));
  return events.filter(({ id }) => !known.has(id));
}

async function enoughUnrated(): Promise<UsageRecorded[] | undefined> {
  const events = await unratedEvents();
  return events.length >= LEAST_REPEATED ? events : undefined;
}

describe('records that come twice, or late', () => {
  it('K8: an event that stands twice and three times in one batch, and one more time later, is charged once', async () => {
    const load = deployment.startLoad({ clients: CLIENTS, shapes: QUICK });
    await deployment.ended(load, random.integer(40, 80));
    const stopped = await Promise.all(['billing-1', 'billing-2'].map(async (name) => (await deployment.services.service(name)).processId));
    await Promise.all(stopped.map(freezeProcess));
    await deployment.ended(load, 2 * LEAST_REPEATED);
    const events = await waitFor(enoughUnrated, { what: 'events that are not rated', deadlineMs: DEADLINE_MS });
    await produce(events.flatMap((event, index) => (index % 2 === 0 ? [event] : [event, event])));
    for (const processId of stopped) process.kill(processId, 'SIGCONT');
    await deployment.served(load, CLIENTS);
    await produce(events);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 180_000);

  it('the id of a charged request with another content is kept as a conflict and never charged', async () => {
    const load = deployment.startLoad({ clients: CLIENTS, shapes: QUICK });
    await deployment.ended(load, random.integer(40, 80));
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
    const [event] = (await ends.messages('usage.recorded')).map(({ text }) => readUsageRecorded(text)).filter(({ outcome }) => outcome === 'completed');
    if (!event) throw new Error('no request was completed');
    await produce([{ ...event, tokens: { ...event.tokens, output: event.tokens.output + 1_000 } }]);
    await deployment.settled();
    const conflict = await waitFor(async () => (await deployment.findFaults())[0], { what: 'the conflict', deadlineMs: DEADLINE_MS });
    expect(conflict).toContain(`{"id":"${event.id}","reason":"conflict"}`);
    expect(await deployment.findFaults()).toHaveLength(1);
    await deployment.query((pool) => pool.query('DELETE FROM billing.conflict WHERE id = $1', [event.id]));
  }, 180_000);

  it('outbox rows that commit after younger ones are published all the same', async () => {
    const load = deployment.startLoad({ clients: CLIENTS, shapes: QUICK });
    await deployment.ended(load, random.integer(40, 80));
    await deployment.query(async (pool) => {
      const accountId = deployment.accountIds[0] ?? '';
      const held = await HeldRows.hold(pool, `SELECT 1 FROM billing.log_cursor WHERE log_partition LIKE '%/${partitionOf(accountId)}' FOR UPDATE`);
      try {
        // It has its row in the outbox by now, under a low id.
        const late = await held.awaited('tokone billing', DEADLINE_MS);
        const lastId = async () => Number((await pool.query<{ last: bigint }>('SELECT last_value AS last FROM billing.outbox_id_seq')).rows[0]?.last);
        const lowId = await lastId();
        await waitFor(async () => (await lastId()) > lowId + 5, { what: 'younger rows', deadlineMs: 8_000 });
        await waitFor(async () => (await pool.query('SELECT 1 FROM billing.outbox WHERE id <= $1', [lowId + 5])).rowCount === 0, { what: 'younger rows to be published', deadlineMs: 8_000 });
        expect(await held.waiting('tokone billing')).toContainEqual(late);
      } finally {
        await held.release();
      }
    });
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 180_000);

  it(`a storm of rebalances, in which members of both groups come and go ${STORM_ROUNDS} times, charges exactly`, async () => {
    const load = deployment.startLoad({ clients: CLIENTS, shapes: MIXED });
    for (let round = 0; round < STORM_ROUNDS; round++) {
      const more = await Promise.all([startAnother(deployment.services, 'billing-1'), startAnother(deployment.services, 'account-1')]);
      await deployment.ended(load, random.integer(10, 60));
      await Promise.all(more.map((program) => program.end(random.pick(['SIGKILL', 'SIGTERM'] as const))));
      await deployment.ended(load, random.integer(5, 30));
    }
    await deployment.services.signal(random.pick(['billing-1', 'billing-2', 'account-1', 'account-2']), 'SIGKILL');
    await deployment.served(load, CLIENTS);
    expect(await deployment.verdict(load, [])).toEqual(CLEAN);
  }, 400_000);
});
