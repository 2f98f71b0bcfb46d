import { createConnection } from 'node:net';
import type { Socket } from 'node:net';
import { once } from 'node:events';

/** How many scripts a Redis has run, and the time that they took, by its own account (`INFO commandstats`). Its owner must close it. */
export class ScriptCount {
  private constructor(private readonly socket: Socket) {}

  static async open(url: string): Promise<ScriptCount> {
    const { hostname, port } = new URL(url);
    const socket = createConnection({ host: hostname, port: Number(port), noDelay: true });
    await once(socket, 'connect');
    return new ScriptCount(socket);
  }

  async read(): Promise<{ calls: number; us: number }> {
    this.socket.write('INFO commandstats\r\n');
    let text = '';
    // `$<bytes>`, so many bytes, and the end of a line.
    for (;;) {
      const [, length = ''] = /^\$(\d+)\r\n/.exec(text) ?? [];
      if (length !== '' && Buffer.byteLength(text) >= length.length + 3 + Number(length) + 2) break;
      const [part] = (await once(this.socket, 'data')) as [Buffer];
      text += part.toString();
    }
    const [, calls = '0', us = '0'] = /^cmdstat_evalsha:calls=(\d+),usec=(\d+),/m.exec(text) ?? [];
    return { calls: Number(calls), us: Number(us) };
  }

  async close(): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.end();
    await closed;
  }
}
