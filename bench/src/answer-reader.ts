import { DONE, SENT_AT, SENT_AT_DIGITS, sharedMicroseconds } from './upstream-answer.js';

const HEAD_END = Buffer.from('\r\n\r\n');
const LF = 10;
const CR = 13;

/**
 * Reads one HTTP/1.1 answer at a time: status, body length, the last bytes of the body, and how long the events of a
 * paced stream were under way. Keeps no reference to what it is given, so a socket may read into one buffer for ever.
 */
export class AnswerReader {
  status = 0;
  /** Of `x-request-id`. */
  requestId = '';
  /** Payload, without chunk framing. */
  bodyBytes = 0;
  /** Last bytes of the payload, as many as `[DONE]` has. */
  tail = '';
  complete = false;
  /** Milliseconds from the upstream's write to our read, of each event that carries its time. */
  readonly delaysMs: number[] = [];
  private head: Buffer | undefined;
  private inBody = false;
  private chunked = false;
  /** Of the body or the current chunk. */
  private missingBytes = 0;
  private sizeLine = '';
  private lastChunk = false;

  reset(): void {
    this.status = 0;
    this.bodyBytes = 0;
    this.tail = '';
    this.complete = false;
    this.head = undefined;
    this.inBody = false;
    this.sizeLine = '';
    this.lastChunk = false;
  }

  push(read: Buffer): void {
    let bytes = read;
    if (!this.inBody) {
      bytes = this.head ? Buffer.concat([this.head, read]) : read;
      const end = bytes.indexOf(HEAD_END);
      if (end < 0) {
        this.head = Buffer.from(bytes);
        return;
      }
      this.readHead(bytes.toString('latin1', 0, end));
      bytes = bytes.subarray(end + HEAD_END.length);
    }
    if (this.chunked) this.readChunks(bytes);
    else {
      this.takePayload(bytes);
      this.missingBytes -= bytes.length;
      this.complete = this.missingBytes === 0;
    }
  }

  private readHead(head: string): void {
    this.inBody = true;
    this.status = Number(head.slice(9, 12));
    this.requestId = /\r\nx-request-id: *([0-9a-f-]{36})/i.exec(head)?.[1] ?? '';
    this.chunked = /\r\ntransfer-encoding: *chunked/i.test(head);
    this.missingBytes = this.chunked ? 0 : Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
  }

  private readChunks(bytes: Buffer): void {
    let at = 0;
    while (at < bytes.length) {
      if (this.missingBytes > 0) {
        const end = Math.min(bytes.length, at + this.missingBytes);
        this.takePayload(bytes.subarray(at, end));
        this.missingBytes -= end - at;
        at = end;
        continue;
      }
      const byte = bytes[at++];
      if (byte === CR) continue;
      if (byte !== LF) this.sizeLine += String.fromCharCode(byte ?? 0);
      else if (this.sizeLine !== '') this.startChunk();
      else if (this.lastChunk) this.complete = true;
    }
  }

  private startChunk(): void {
    this.missingBytes = Number.parseInt(this.sizeLine, 16);
    this.sizeLine = '';
    this.lastChunk = this.missingBytes === 0;
  }

  private takePayload(bytes: Buffer): void {
    this.bodyBytes += bytes.length;
    this.tail = bytes.length >= DONE.length ? bytes.toString('latin1', bytes.length - DONE.length) : (this.tail + bytes.toString('latin1')).slice(-DONE.length);
    for (let at = bytes.indexOf(SENT_AT); at >= 0; at = bytes.indexOf(SENT_AT, at + SENT_AT.length)) {
      const from = at + SENT_AT.length;
      const sentAt = from + SENT_AT_DIGITS <= bytes.length ? Number(bytes.toString('latin1', from, from + SENT_AT_DIGITS)) : 0;
      if (sentAt > 0) this.delaysMs.push((sharedMicroseconds() - sentAt) / 1_000);
    }
  }
}
