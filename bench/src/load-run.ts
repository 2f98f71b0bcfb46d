import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { AnswerReader } from './answer-reader.js';
import { percentile } from './statistics.js';
import { DONE, jsonBody, streamBytes } from './upstream-answer.js';
import { requestBody } from './workload.js';
import type { Workload } from './workload.js';

export interface LoadOrder {
  port: number;
  key: string;
  workload: Workload;
  /** Each answer is told with its end. */
  keepAnswers?: boolean;
}

export interface EndedAnswer {
  /** Request id. */
  id: string;
  /** When its last byte was read, milliseconds since 1970. */
  endedAtMs: number;
}

export interface LoadResult {
  requests: number;
  elapsedMs: number;
  latencyMs: { p50: number; p99: number };
  /** Of paced streams: from the upstream's write of an event to its arrival. */
  chunkDelayMs: { p50: number; p99: number } | undefined;
  /** Sentences; any at all makes the measurement void. */
  faults: string[];
  answers?: EndedAnswer[];
}

const READ_BUFFER_BYTES = 65_536;
/** Requests that run when the slice is over must end within this. */
const END_DEADLINE_MS = 20_000;

/** One slice of load on one address. */
export class LoadRun {
  private readonly request: Buffer;
  private readonly expectedBytes: number;
  private readonly latenciesMs: number[] = [];
  private readonly delaysMs: number[] = [];
  private readonly faults: string[] = [];
  private readonly answers: EndedAnswer[] = [];
  private readonly idle: LoadConnection[] = [];
  private readonly sockets: Socket[] = [];
  private running = 0;
  private sending = true;
  private finished: (() => void) | undefined;

  constructor(private readonly order: LoadOrder) {
    const body = requestBody(order.workload);
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:${order.port}\r\nauthorization: Bearer ${order.key}\r\ncontent-type: application/json\r\naccept: application/json\r\nuser-agent: bench/1\r\ncontent-length: ${body.length}\r\n\r\n`;
    this.request = Buffer.concat([Buffer.from(head), body]);
    this.expectedBytes = order.workload.answer === 'json' ? jsonBody.length : streamBytes;
  }

  async run(): Promise<LoadResult> {
    const { workload } = this.order;
    const startedAtMs = performance.now();
    const connections = await Promise.all(Array.from({ length: workload.connections }, () => this.open()));
    const timer = workload.requestsPerSecond === undefined ? this.startLoop(connections) : this.startRate(connections, workload.requestsPerSecond);
    await new Promise((resolve) => setTimeout(resolve, workload.sliceMs));
    clearInterval(timer);
    this.sending = false;
    await this.ended();
    for (const socket of this.sockets) socket.destroy();
    const { latenciesMs, delaysMs } = this;
    return {
      requests: latenciesMs.length,
      elapsedMs: performance.now() - startedAtMs,
      latencyMs: { p50: percentile(latenciesMs, 50), p99: percentile(latenciesMs, 99) },
      chunkDelayMs: delaysMs.length > 0 ? { p50: percentile(delaysMs, 50), p99: percentile(delaysMs, 99) } : undefined,
      faults: this.faults,
      ...(this.order.keepAnswers === true && { answers: this.answers }),
    };
  }

  /** Starts are spread over one stream's length, so that paced streams do not beat in time. */
  private startLoop(connections: LoadConnection[]): NodeJS.Timeout | undefined {
    if (this.order.workload.answer !== 'paced') {
      for (const connection of connections) this.send(connection);
      return undefined;
    }
    const left = [...connections];
    return setInterval(() => {
      for (const connection of left.splice(0, 4)) this.send(connection);
    }, 20);
  }

  private startRate(connections: LoadConnection[], requestsPerSecond: number): NodeJS.Timeout {
    this.idle.push(...connections);
    const startedAtMs = performance.now();
    let sent = 0;
    // A timer has whole milliseconds: what is due is counted by the clock.
    return setInterval(() => {
      for (const due = ((performance.now() - startedAtMs) / 1_000) * requestsPerSecond; sent < due; sent++) {
        // The one that has been idle longest: one that is left unused would be closed by the other side.
        const free = this.idle.shift();
        if (free) this.send(free);
        else this.fault('no free connection: the answers took too long for this rate');
      }
    }, Math.max(1, Math.floor(1_000 / requestsPerSecond)));
  }

  private open(): Promise<LoadConnection> {
    return new Promise((resolve, reject) => {
      const reader = new AnswerReader();
      const state: LoadConnection = { reader, sentAtMs: 0, busy: false, socket: undefined };
      const callback = (bytes: number, buffer: Uint8Array) => {
        this.take(state, Buffer.from(buffer.buffer, buffer.byteOffset, bytes));
        return true;
      };
      const socket = connect({ host: '127.0.0.1', port: this.order.port, noDelay: true, onread: { buffer: Buffer.alloc(READ_BUFFER_BYTES), callback } });
      state.socket = socket;
      this.sockets.push(socket);
      socket.once('connect', () => resolve(state)).on('error', (error) => (state.busy ? this.fault(`a connection broke: ${error.message}`) : reject(error)));
      socket.on('close', () => this.closed(state));
    });
  }

  private send(connection: LoadConnection): void {
    connection.reader.reset();
    connection.sentAtMs = performance.now();
    connection.busy = true;
    this.running++;
    connection.socket?.write(this.request);
  }

  private take(connection: LoadConnection, bytes: Buffer): void {
    const { reader } = connection;
    if (!connection.busy) return this.fault('bytes arrived that nobody asked for');
    reader.push(bytes);
    if (!reader.complete) return;
    connection.busy = false;
    this.running--;
    this.latenciesMs.push(performance.now() - connection.sentAtMs);
    this.delaysMs.push(...reader.delaysMs.splice(0));
    if (this.order.keepAnswers === true) this.answers.push({ id: reader.requestId, endedAtMs: performance.timeOrigin + performance.now() });
    this.check(reader);
    if (this.order.workload.requestsPerSecond !== undefined) this.idle.push(connection);
    else if (this.sending) this.send(connection);
    if (this.running === 0) this.finished?.();
  }

  private check({ status, bodyBytes, tail }: AnswerReader): void {
    if (status !== 200) this.fault(`status ${status}`);
    else if (bodyBytes !== this.expectedBytes) this.fault(`${bodyBytes} bytes of body instead of ${this.expectedBytes}`);
    else if (this.order.workload.answer !== 'json' && tail !== DONE) this.fault(`a stream without [DONE] at its end: ${JSON.stringify(tail)}`);
  }

  private closed(connection: LoadConnection): void {
    if (!connection.busy) return;
    connection.busy = false;
    this.running--;
    this.fault('a connection was closed in the middle of an answer');
    if (this.running === 0) this.finished?.();
  }

  private fault(sentence: string): void {
    if (this.faults.length < 20) this.faults.push(sentence);
  }

  private async ended(): Promise<void> {
    if (this.running === 0) return;
    const timer = setTimeout(() => {
      this.fault(`${this.running} answers did not end within ${END_DEADLINE_MS} ms`);
      this.finished?.();
    }, END_DEADLINE_MS);
    await new Promise<void>((resolve) => (this.finished = resolve));
    clearTimeout(timer);
  }
}

interface LoadConnection {
  reader: AnswerReader;
  sentAtMs: number;
  busy: boolean;
  socket: Socket | undefined;
}
