import { describe, expect, it } from '@jest/globals';
import { silentLogger } from '@tokone/telemetry';
import { OpenedParts } from './opened-parts.js';

function parts() {
  const stop = new AbortController();
  const closed: string[] = [];
  const opened = new OpenedParts(silentLogger, stop.signal);
  const open = (name: string, close: () => unknown = () => closed.push(name)) => opened.add(name, name, close);
  return { stop, closed, opened, open };
}

describe('opened parts', () => {
  it('are closed in the reverse order, each once', async () => {
    const { closed, opened, open } = parts();
    for (const name of ['lock', 'database', 'server']) open(name);
    await Promise.all([opened.close(), opened.close()]);
    expect(closed).toEqual(['server', 'database', 'lock']);
  });

  it('are closed although one of them fails', async () => {
    const { closed, opened, open } = parts();
    open('lock');
    open('database', () => Promise.reject(new Error('gone')));
    await opened.close();
    expect(closed).toEqual(['lock']);
  });

  it('end the opening at the next part once somebody asked to stop, and that part is closed too', async () => {
    const { stop, closed, opened, open } = parts();
    open('lock');
    stop.abort(new Error('stop'));
    expect(() => open('database')).toThrow('stop');
    await opened.close();
    expect(closed).toEqual(['database', 'lock']);
  });

  it('wait no longer than somebody wants them', async () => {
    const { stop, opened } = parts();
    expect(await opened.whileWanted(Promise.resolve(7))).toBe(7);
    await expect(opened.whileWanted(Promise.reject(new Error('own')))).rejects.toThrow('own');
    const waiting = opened.whileWanted(new Promise(() => undefined));
    stop.abort(new Error('stop'));
    await expect(waiting).rejects.toThrow('stop');
  });
});
