import { cp, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SPOOL_RECORD } from '@tokone/events';
import { Spool } from '@tokone/spool';
import type { SpoolRecord } from '@tokone/spool';
import { makeTemporaryFolder } from '@tokone/testing';

/** What a spool folder says of each request when nobody works on it. */
export interface SpoolEvidence {
  /** OPEN and nothing else. */
  openOnly: Set<string>;
  /** OPEN and PROGRESS, no CLOSE. */
  partial: Set<string>;
  /** CLOSE → its outcome. */
  closed: Map<string, string>;
  /** The last PROGRESS of what is partial. */
  progress: Map<string, string>;
  /** The last EXTEND of what has no CLOSE: its whole hold, nano-USD. */
  extended: Map<string, bigint>;
}

export function noEvidence(): SpoolEvidence {
  return { openOnly: new Set(), partial: new Set(), closed: new Map(), progress: new Map(), extended: new Map() };
}

const NOT_OF_THE_LOG = new Set(['ballast', 'spool.lock']);
const PAGE_RECORDS = 2_000;

/** Reads a copy, with the spool's own reader: opening the folder itself would change it. */
export async function readSpoolEvidence(spoolFolder: string): Promise<SpoolEvidence> {
  const temporary = await makeTemporaryFolder('spool-copy');
  const folder = join(temporary.path, 'spool');
  await mkdir(folder);
  await cp(spoolFolder, folder, { recursive: true, filter: (path) => !NOT_OF_THE_LOG.has(basename(path)) });
  const spool = await Spool.open({ folder, now: () => Date.now(), onAlarm: () => undefined, ballastBytes: 0 });
  try {
    const evidence = noEvidence();
    for (const { id, progress, extend } of spool.orphans) {
      (progress === undefined ? evidence.openOnly : evidence.partial).add(id);
      if (progress !== undefined) evidence.progress.set(id, progress);
      if (extend !== undefined) evidence.extended.set(id, BigInt((JSON.parse(extend) as { holdNanoUsd: string }).holdNanoUsd));
    }
    for await (const { id, payload } of closeRecords(spool)) evidence.closed.set(id, (JSON.parse(payload) as { outcome: string }).outcome);
    return evidence;
  } finally {
    await spool.close();
    await temporary.remove();
  }
}

async function* closeRecords(spool: Spool): AsyncGenerator<SpoolRecord> {
  for (let from: bigint | undefined; ; ) {
    const page = await spool.read(from, { records: PAGE_RECORDS, bytes: Infinity, types: [SPOOL_RECORD.close] });
    yield* page.records;
    if (page.records.length === 0 && (from === page.next || page.next >= spool.end)) return;
    from = page.next;
  }
}
