import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

export interface OutletShape {
  /** Pieces of this size, one turn of the event loop apart. */
  readonly splitBytes?: number;
  /** Every write becomes a gzip member of its own; members that follow each other are one valid gzip body. */
  readonly gzip: boolean;
  /** Told before each piece is handed to the socket. */
  readonly onBytes: (count: number) => void;
}

/** What is handed over at once. */
export const pieceBytes = 64 * 1024;
const writesPerTurn = 32;

/**
 * The body of one response, written with back-pressure: each write waits until the socket has taken what came before,
 * so an endless answer to a reader that has stopped costs no memory. Only one operation may wait at a time.
 */
export class Outlet {
  /** The client closed the connection before the answer was over. */
  left = false;
  private ended = false;
  private writes = 0;
  private wake: (() => void) | undefined;

  constructor(
    private readonly response: ServerResponse,
    private readonly shape: OutletShape,
  ) {
    response.on('drain', () => this.wake?.());
    response.on('close', () => {
      this.left = !this.ended;
      this.wake?.();
    });
    if (shape.splitBytes !== undefined) response.socket?.setNoDelay(true);
  }

  writeHead(status: number, headers: OutgoingHttpHeaders): void {
    if (!this.left) this.response.writeHead(status, this.shape.gzip ? { ...headers, 'content-encoding': 'gzip' } : headers);
  }

  flushHead(): void {
    this.response.flushHeaders();
  }

  /** The bytes as they will be on the wire. */
  encode(text: string): Buffer {
    return this.shape.gzip ? gzipSync(text) : Buffer.from(text);
  }

  /** False when the client left before the last of these bytes was handed to the socket. */
  async write(bytes: Buffer): Promise<boolean> {
    const size = this.shape.splitBytes || pieceBytes;
    let at = 0;
    for (; at < bytes.length && !this.left; at += size) {
      const piece = bytes.length <= size ? bytes : bytes.subarray(at, at + size);
      this.shape.onBytes(piece.length);
      this.writes += 1;
      if (!this.response.write(piece)) await this.wait(() => undefined);
      else if (this.shape.splitBytes !== undefined || this.writes % writesPerTurn === 0) await this.turn();
    }
    return at >= bytes.length;
  }

  /** False once the client has left. */
  async pause(durationMs: number): Promise<boolean> {
    if (durationMs > 0 && !this.left) {
      await this.wait((wake) => {
        const timer = setTimeout(wake, durationMs);
        return () => clearTimeout(timer);
      });
    }
    return !this.left;
  }

  /** Nothing more, until the client gives up. */
  async stall(): Promise<void> {
    while (!this.left) await this.wait(() => undefined);
  }

  end(): void {
    if (this.left) return;
    this.ended = true;
    this.response.end();
  }

  /** A reset in the middle of the answer, once what was written has reached the socket. */
  async cut(): Promise<void> {
    await this.turn();
    this.ended = true;
    this.response.destroy();
  }

  private turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  private async wait(begin: (wake: () => void) => (() => void) | undefined): Promise<void> {
    if (this.left) return;
    let stop: (() => void) | undefined;
    await new Promise<void>((resolve) => {
      this.wake = resolve;
      stop = begin(resolve);
    });
    this.wake = undefined;
    stop?.();
  }
}
