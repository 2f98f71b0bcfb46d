import { randomUUID } from 'node:crypto';
import { open, readdir, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { SPOOL_RECORD } from '@tokone/events/spool-record';
import type { AlarmListener } from './alarm.js';
import { Backlog } from './backlog.js';
import { OpenRequests } from './open-requests.js';
import { packPosition } from './position.js';
import { CARRIED_OPEN_RECORD, checksumSeed } from './record.js';
import { HEADER_BYTES, judgeHeader, readSegmentName, type Segment } from './segment.js';
import { SegmentScan, type Damage } from './segment-scan.js';
import { SpoolError } from './spool-error.js';

/** Only an open request's payloads are ever looked at here. */
const ORPHAN_TYPES = new Set<number>([SPOOL_RECORD.open, CARRIED_OPEN_RECORD, SPOOL_RECORD.progress, SPOOL_RECORD.extend]);

/** A request that a former process opened and did not close. Payloads are the last of their kind. */
export interface Orphan {
  id: string;
  open: string;
  progress: string | undefined;
  extend: string | undefined;
  /** Of its OPEN. */
  position: bigint;
}

export interface RecoveredSpool {
  /** The folder's own id, made when it was empty. */
  spoolId: string;
  segments: Segment[];
  requests: OpenRequests;
  orphans: Orphan[];
  /** Records of usage, as if none of them had been acknowledged: the consumer alone knows. */
  backlog: Backlog;
}

/** Reads all segments of a folder in order. Bytes that are no record are reported, never a reason to stop. */
export async function recoverSpool(folder: string, onAlarm: AlarmListener): Promise<RecoveredSpool> {
  const names = await listSegments(folder);
  const spoolId = names.at(-1)?.spoolId ?? randomUUID();
  const requests = new OpenRequests();
  const openedAt = new Map<string, bigint>();
  const backlog = new Backlog();
  const segments: Segment[] = [];
  for (const [index, { number, path }] of names.entries()) {
    const walk = { segment: { number, path }, seed: checksumSeed(spoolId), last: index === names.length - 1 };
    const bytes = await recoverSegment(walk, { requests, openedAt, backlog, onAlarm });
    segments.push({ number, path, bytes, descriptor: undefined, dirty: false, listed: true });
  }
  const orphans = [...requests.values()].map(({ id, open, progress, extend }) => ({
    id,
    open,
    progress,
    extend,
    position: openedAt.get(id)!,
  }));
  return { spoolId, segments, requests, orphans, backlog };
}

async function listSegments(folder: string): Promise<{ spoolId: string; number: number; path: string }[]> {
  const found = [];
  for (const name of await readdir(folder)) {
    const parsed = readSegmentName(name);
    if (parsed) found.push({ ...parsed, path: join(folder, name) });
  }
  found.sort((a, b) => a.number - b.number);
  if (new Set(found.map((segment) => segment.spoolId)).size > 1) {
    throw new SpoolError('foreign', `The folder ${folder} holds the segments of two spools: move those of one to a folder of their own.`);
  }
  return found;
}

interface RecoveryResult {
  requests: OpenRequests;
  openedAt: Map<string, bigint>;
  backlog: Backlog;
  onAlarm: AlarmListener;
}

interface SegmentWalk {
  segment: { number: number; path: string };
  seed: number;
  last: boolean;
}

/** Resolves to the segment's readable end. */
async function recoverSegment(walk: SegmentWalk, result: RecoveryResult): Promise<number> {
  const { number, path } = walk.segment;
  const fileBytes = await checkHeader(walk.segment, result.onAlarm);
  if (fileBytes < HEADER_BYTES) return fileBytes;
  const damages: Damage[] = [];
  const scan = new SegmentScan({ path, offset: HEADER_BYTES, seed: walk.seed }, (damage) => damages.push(damage));
  try {
    for (let step = scan.step(fileBytes); step !== 'end'; step = scan.step(fileBytes)) {
      if (step === 'fill') await scan.fill(fileBytes);
      else noteRecord(scan, number, result);
    }
  } finally {
    await scan.close();
  }
  return settleDamages({ walk, fileBytes, damages }, result.onAlarm);
}

function noteRecord(scan: SegmentScan, number: number, result: RecoveryResult): void {
  const { reader, recordAt } = scan;
  const record = { type: reader.typeAt(recordAt), id: reader.idAt(recordAt), payload: '' };
  if (ORPHAN_TYPES.has(record.type)) record.payload = reader.payloadAt(recordAt);
  result.requests.note(record, number);
  if (Backlog.counts(record.type)) result.backlog.found(packPosition(number, scan.offset), idTimeMs(record.id));
  const opens = record.type === SPOOL_RECORD.open || record.type === CARRIED_OPEN_RECORD;
  if (opens) result.openedAt.set(record.id, packPosition(number, scan.recordOffset));
}

/** Ids are of version 7, so that they tell when the request began; the record is not older than that. */
function idTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}

/** Resolves to the size of the file. */
async function checkHeader(segment: { number: number; path: string }, onAlarm: AlarmListener): Promise<number> {
  const handle = await open(segment.path, 'r');
  try {
    const { size } = await handle.stat();
    const header = Buffer.alloc(HEADER_BYTES);
    const { bytesRead } = await handle.read(header, 0, HEADER_BYTES, 0);
    const verdict = judgeHeader(header.subarray(0, bytesRead), segment.number);
    if (verdict === 'newer') {
      throw new SpoolError('foreign', `${segment.path} was written by a newer version of this program: start that one.`);
    }
    if (verdict === 'damaged' && size >= HEADER_BYTES) {
      onAlarm({ kind: 'damaged', message: `The header of ${segment.path} is damaged; its records are read all the same.` });
    }
    return size;
  } finally {
    await handle.close();
  }
}

/** A tail without a record is cut off the last segment; all other damage stays where it is and readers pass over it. */
async function settleDamages(
  found: { walk: SegmentWalk; fileBytes: number; damages: Damage[] },
  onAlarm: AlarmListener,
): Promise<number> {
  const { walk, fileBytes, damages } = found;
  const { path } = walk.segment;
  let end = fileBytes;
  for (const { from, to } of damages) {
    if (walk.last && to === fileBytes) {
      await truncate(path, from);
      end = from;
      onAlarm({ kind: 'torn_tail', message: `${path} ended in ${to - from} bytes that are no whole record; it was cut at ${from}.` });
    } else {
      onAlarm({ kind: 'damaged', message: `${path} holds no record from byte ${from} to ${to}; those around it were kept.` });
    }
  }
  return end;
}
