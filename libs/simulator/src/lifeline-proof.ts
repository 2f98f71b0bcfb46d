import { createHmac, timingSafeEqual } from 'node:crypto';

/**
 * How both ends of `POST /lifeline` show that they know the simulator's token without sending it: the port of a
 * simulator that is gone may belong to any program by now. HMAC-SHA-256 under the token of `side:challenge`, base64url.
 */
export function lifelineProof(token: string, side: 'caller' | 'simulator', challenge: string): string {
  return createHmac('sha256', token).update(`${side}:${challenge}`).digest('base64url');
}

/** Takes the same time for any guess of the right length. */
export function isLifelineProof(token: string, challenge: string, candidate: string): boolean {
  const expected = Buffer.from(lifelineProof(token, 'caller', challenge));
  const given = Buffer.from(candidate);
  return expected.length === given.length && timingSafeEqual(expected, given);
}
