import { z } from 'zod';

const identity = { gatewayId: z.uuid(), instanceId: z.uuid() };

/** Body of `gateways/join` and of `gateways/heartbeat`. */
export const gatewayQuestion = z.object({ ...identity, url: z.url({ protocol: /^https?$/ }).max(300) });
/** Body of `gateways/leave`. */
export const identityQuestion = z.object(identity);
