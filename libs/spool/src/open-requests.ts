import { SPOOL_RECORD } from '@tokone/events/spool-record';
import { CARRIED_OPEN_RECORD, VOID_RECORD } from './record.js';

/** What is known of a request that has an OPEN and no CLOSE. Later PROGRESS and EXTEND replace earlier ones. */
export interface OpenRequest {
  id: string;
  /** All its records are in this segment or later ones. */
  segment: number;
  open: string;
  progress: string | undefined;
  extend: string | undefined;
}

/** The requests without a CLOSE: they keep their segments alive, and at open they are the orphans. */
export class OpenRequests {
  private readonly requests = new Map<string, OpenRequest>();
  /** How many requests begin in a segment. A handful of entries. */
  private readonly pins = new Map<number, number>();

  /** `segment`: one that is not later than where the record goes. */
  note(record: { type: number; id: string; payload: string }, segment: number): void {
    const { type, id, payload } = record;
    if (type === SPOOL_RECORD.open || type === CARRIED_OPEN_RECORD) {
      this.close(id);
      this.requests.set(id, { id, segment, open: payload, progress: undefined, extend: undefined });
      this.pins.set(segment, (this.pins.get(segment) ?? 0) + 1);
    } else if (type === SPOOL_RECORD.progress) {
      const request = this.requests.get(id);
      if (request) request.progress = payload;
    } else if (type === SPOOL_RECORD.extend) {
      const request = this.requests.get(id);
      if (request) request.extend = payload;
    } else if (type === SPOOL_RECORD.close || type === VOID_RECORD) {
      this.close(id);
    }
  }

  close(id: string): void {
    const request = this.requests.get(id);
    if (!request) return;
    this.requests.delete(id);
    const left = this.pins.get(request.segment)! - 1;
    if (left === 0) this.pins.delete(request.segment);
    else this.pins.set(request.segment, left);
  }

  get(id: string): OpenRequest | undefined {
    return this.requests.get(id);
  }

  get size(): number {
    return this.requests.size;
  }

  /** Of the oldest `most`. */
  ids(most: number): string[] {
    return [...this.requests.keys()].slice(0, most);
  }

  values(): Iterable<OpenRequest> {
    return this.requests.values();
  }

  /** No segment from this number on may be deleted. */
  get firstPinned(): number {
    return Math.min(Infinity, ...this.pins.keys());
  }

  /** The requests that begin before `segment`. */
  before(segment: number): OpenRequest[] {
    return [...this.requests.values()].filter((request) => request.segment < segment);
  }
}
