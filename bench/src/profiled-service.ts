import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ServiceNote } from '@tokone/testing';
import { waitFor } from '@tokone/testing';

/** Where Node's inspector listens after SIGUSR1. One process at a time can have it. */
const INSPECTOR = 'http://127.0.0.1:9229/json/list';
const OPEN_DEADLINE_MS = 10_000;

/** A processor profile of one running service, taken through Node's inspector: the service is started as it always is. */
export class ProfiledService {
  private nextId = 0;

  private constructor(
    private readonly socket: WebSocket,
    private readonly file: string,
  ) {}

  static async start(notes: readonly ServiceNote[], { app, folder }: { app: string; folder: string }): Promise<ProfiledService> {
    const processId = notes.find((note) => note.app === app)?.processId;
    if (processId === undefined || processId === null) throw new Error(`There is no service ${app} to profile.`);
    process.kill(processId, 'SIGUSR1');
    const url = await waitFor(
      async () => {
        const answer = await fetch(INSPECTOR).catch(() => undefined);
        const [target] = answer ? ((await answer.json()) as { webSocketDebuggerUrl: string }[]) : [];
        return target?.webSocketDebuggerUrl;
      },
      { what: `the inspector of ${app}`, deadlineMs: OPEN_DEADLINE_MS },
    );
    await mkdir(folder, { recursive: true });
    const socket = new WebSocket(url);
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true });
      socket.addEventListener('error', () => reject(new Error('the inspector cannot be reached')), { once: true });
    });
    const profiled = new ProfiledService(socket, join(folder, `${app}.cpuprofile`));
    await profiled.call('Profiler.enable');
    await profiled.call('Profiler.start');
    return profiled;
  }

  async stop(): Promise<void> {
    const { profile } = (await this.call('Profiler.stop')) as { profile: object };
    await writeFile(this.file, JSON.stringify(profile));
    this.socket.close();
  }

  private call(method: string): Promise<unknown> {
    const id = ++this.nextId;
    return new Promise((resolve) => {
      const listen = ({ data }: MessageEvent) => {
        const answer = JSON.parse(String(data)) as { id?: number; result?: unknown };
        if (answer.id !== id) return;
        this.socket.removeEventListener('message', listen);
        resolve(answer.result);
      };
      this.socket.addEventListener('message', listen);
      this.socket.send(JSON.stringify({ id, method }));
    });
  }
}
