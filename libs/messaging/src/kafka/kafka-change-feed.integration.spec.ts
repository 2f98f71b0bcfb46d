import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AccountChanged } from '@tokone/events';
import { testServers, waitFor } from '@tokone/testing';
import type { AccountChangeListener, AccountChangeSubscription } from '../change-feed.js';
import { CarefulProducer } from './careful-producer.js';
import { KafkaChangePublisher } from './event-publishers.js';
import { deployTo, watchTroubles } from './fixtures/test-kafka.js';
import { KafkaAdmin } from './kafka-admin.js';
import { KafkaChangeFeed } from './kafka-change-feed.js';
import type { KafkaConnection } from './kafka-connection.js';

const DEADLINE_MS = 20_000;

class Cache implements AccountChangeListener {
  readonly told: string[] = [];
  missed = 0;

  changed({ id }: AccountChanged): void {
    this.told.push(id);
  }

  missedSome(): void {
    this.missed++;
  }

  begun(): Promise<unknown> {
    return waitFor(() => this.missed > 0, { what: 'the beginning of the feed', deadlineMs: DEADLINE_MS });
  }

  hasAll(ids: string[]): Promise<unknown> {
    return waitFor(() => ids.every((id) => this.told.includes(id)), { what: `${ids.length} changes`, deadlineMs: DEADLINE_MS });
  }
}

let connection: KafkaConnection;
let remove: () => Promise<void>;
let publisher: KafkaChangePublisher;
let subscriptions: AccountChangeSubscription[];
let numbers = 0;
beforeEach(async () => {
  ({ connection, remove } = await deployTo(await testServers().kafka()));
  publisher = new KafkaChangePublisher({ connection, producer: new CarefulProducer(connection) });
  subscriptions = [];
});
afterEach(async () => {
  await Promise.all(subscriptions.map((subscription) => subscription.stop()));
  await publisher.close();
  await remove();
});

function changes(count: number): AccountChanged[] {
  return Array.from({ length: count }, () => {
    const id = `00000000-0000-7000-8000-${(++numbers).toString(16).padStart(12, '0')}`;
    return { schema: 1, id, at: 1_767_225_600_000, traceparent: null, kind: 'account', accountId: id };
  });
}

async function follow(cache: Cache, instanceId: string): Promise<AccountChangeSubscription> {
  const subscription = await new KafkaChangeFeed({ connection, instanceId, ...watchTroubles() }).follow(cache);
  subscriptions.push(subscription);
  return subscription;
}

describe('KafkaChangeFeed', () => {
  it('tells every process everything that is published after it said that it begins, and nothing older', async () => {
    await publisher.publish(changes(5));
    const caches = [new Cache(), new Cache()];
    await Promise.all(caches.map((cache, index) => follow(cache, `process-${index}`)));
    await Promise.all(caches.map((cache) => cache.begun()));
    const published = changes(30);
    await publisher.publish(published);
    const ids = published.map(({ id }) => id);
    await Promise.all(caches.map((cache) => cache.hasAll(ids)));
    for (const cache of caches) expect([...cache.told].sort()).toEqual(ids);
  });

  it('takes a change that cannot be read for one that was missed', async () => {
    const cache = new Cache();
    await follow(cache, 'reader');
    await cache.begun();
    const producer = new CarefulProducer(connection);
    await producer.send(connection.topic('account.changed'), [{ partition: 3, key: null, value: '{"schema":2}', headers: {} }]);
    await waitFor(() => cache.missed > 1, { what: 'the unreadable change', deadlineMs: DEADLINE_MS });
    await producer.close();
    expect(cache.told).toEqual([]);
  });

  it('leaves no group behind when it is stopped', async () => {
    const cache = new Cache();
    const subscription = await follow(cache, 'short-lived');
    await cache.begun();
    const admin = new KafkaAdmin(connection);
    const groups = async (): Promise<string[]> => (await admin.use((client) => client.listGroups())).groups.map(({ groupId }) => groupId);
    expect(await groups()).toContain(connection.group('changes-short-lived'));
    await subscription.stop();
    expect(await groups()).not.toContain(connection.group('changes-short-lived'));
    await admin.close();
  });
});
