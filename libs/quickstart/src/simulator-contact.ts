import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';

/** Where a simulator listens, and the secret that it shares with us. */
export interface SimulatorContact {
  url: string;
  token: string;
}

/** `ours`: it proved that it knows the token. `silent`: no answer in time. `gone`: nothing listens there, or a stranger. */
export type ContactState = 'ours' | 'silent' | 'gone';

const CALL_DEADLINE_MS = 2_000;
const END_DEADLINE_MS = 5_000;
const END_POLL_MS = 20;

/**
 * Renews the lifeline of a simulator that outlived its TokOne. The token itself is not sent: the port may belong to
 * another program by now, whose answer proves nothing and which must learn nothing.
 */
export async function renewLifeline({ url, token }: SimulatorContact): Promise<ContactState> {
  const challenge = randomBytes(16).toString('base64url');
  const headers = { 'x-lifeline-challenge': challenge, 'x-lifeline-proof': proofOf(token, 'caller', challenge) };
  const answer = await post(`${url}/lifeline`, headers);
  if (typeof answer === 'string') return answer;
  const expected = Buffer.from(proofOf(token, 'simulator', challenge));
  const given = Buffer.from(answer.get('x-lifeline-proof') ?? '');
  return given.length === expected.length && timingSafeEqual(given, expected) ? 'ours' : 'gone';
}

/** Ends it and waits until its port is free. False: it still listens. */
export async function endSimulator(contact: SimulatorContact): Promise<boolean> {
  const deadline = AbortSignal.timeout(END_DEADLINE_MS);
  for (let state = await renewLifeline(contact); state !== 'gone'; state = await renewLifeline(contact)) {
    if (deadline.aborted) return false;
    if (state === 'ours') await post(`${contact.url}/shutdown`, { 'x-shutdown-token': contact.token });
    await delay(END_POLL_MS);
  }
  return true;
}

/** As libs/simulator/README.md describes it; the simulator shares no code with us. */
function proofOf(token: string, side: 'caller' | 'simulator', challenge: string): string {
  return createHmac('sha256', token).update(`${side}:${challenge}`).digest('base64url');
}

async function post(url: string, headers: Record<string, string>): Promise<Headers | 'silent' | 'gone'> {
  try {
    const answer = await fetch(url, { method: 'POST', headers, redirect: 'error', signal: AbortSignal.timeout(CALL_DEADLINE_MS) });
    await answer.body?.cancel();
    return answer.headers;
  } catch (error) {
    return error instanceof DOMException && error.name === 'TimeoutError' ? 'silent' : 'gone';
  }
}
