import { z } from 'zod';
import type { FenceAnswer } from './gateways.js';

const identity = { gatewayId: z.uuid(), instanceId: z.uuid() };

/** Bodies of `gateways/heartbeat`, of `gateways/leave`, and of `fence`. */
export const heartbeatQuestion = z.object({ ...identity, url: z.url({ protocol: /^https?$/ }).max(300) });
export const identityQuestion = z.object(identity);
export const fenceQuestion = z.object({ ...identity, waitMs: z.int().min(0).max(30_000).default(4_000) });

const fenceAnswer = z.discriminatedUnion('passed', [
  z.object({ passed: z.literal(true) }),
  z.object({ passed: z.literal(false), waitingFor: z.string() }),
]);

export function readFenceAnswer(json: unknown): FenceAnswer {
  return fenceAnswer.parse(json);
}
