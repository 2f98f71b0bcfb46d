import { describe, expect, it } from '@jest/globals';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { connect } from 'node:net';
import { AnswerDeadline } from './answer-deadline.js';

const never = (): Promise<never> => new Promise(() => undefined);
const real = (deadlineMs: number): AnswerDeadline => new AnswerDeadline({ deadlineMs, now: () => performance.now() });

/** The event loop of this process stands still for so long. */
function stall(ms: number): void {
  const untilMs = performance.now() + ms;
  while (performance.now() < untilMs);
}

describe('the deadline of answers', () => {
  it('lets an answer pass as it is', async () => {
    await expect(real(1_000).within(Promise.resolve('answer'))).resolves.toBe('answer');
    await expect(real(1_000).within(Promise.reject(new Error('refused')))).rejects.toThrow('refused');
  });

  it('gives up what is late, each at its own time, and nothing before', async () => {
    const deadline = real(50);
    const startedAtMs = performance.now();
    const ends: number[] = [];
    const late = async (): Promise<void> => {
      await expect(deadline.within(never())).rejects.toThrow('no answer within 50 ms');
      ends.push(performance.now() - startedAtMs);
    };
    const first = late();
    await new Promise((resolve) => setTimeout(resolve, 30));
    await Promise.all([first, late()]);
    expect(ends[0]).toBeGreaterThanOrEqual(49);
    expect(ends[1]).toBeGreaterThanOrEqual(78);
  });

  it('takes an answer that lay in the socket while this process stood still', async () => {
    const server = createServer((socket) => socket.write('answer'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
    await once(socket, 'connect');
    const answer = once(socket, 'data').then(([data]) => String(data));
    const judged = real(20).within(answer);
    stall(200);
    await expect(judged).resolves.toBe('answer');
    socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  it('gives what was asked for its deadline once more when this process stood still for long: it may not have left before', async () => {
    let answer: (text: string) => void = () => undefined;
    const deadline = real(50);
    const judged = deadline.within(new Promise<string>((resolve) => (answer = resolve)));
    const unanswered = deadline.within(never());
    stall(700);
    setTimeout(() => answer('answer'), 20);
    await expect(judged).resolves.toBe('answer');
    await expect(unanswered).rejects.toThrow('no answer within 50 ms');
  });

  it('says when all that was asked for has ended, by its answer or by its deadline', async () => {
    const deadline = real(50);
    const outcomes: string[] = [];
    void deadline.within(never()).catch(() => outcomes.push('late'));
    void deadline.within(new Promise((resolve) => setTimeout(resolve, 10))).then(() => outcomes.push('answered'));
    await deadline.settled();
    expect(outcomes.sort()).toEqual(['answered', 'late']);
  });

  it('does not wait for what is asked for later', async () => {
    const deadline = real(50);
    let ended = false;
    const settled = deadline.settled();
    const later = deadline.within(never()).catch(() => (ended = true));
    await settled;
    expect(ended).toBe(false);
    await later;
  });

  it('keeps no timer when nothing is waited for', async () => {
    const timers = (): number => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
    const deadline = real(60_000);
    const before = timers();
    await Promise.all(Array.from({ length: 3_000 }, (_, index) => deadline.within(Promise.resolve(index))));
    expect(timers()).toBe(before);
  });
});
