export { quoteForShell, readQuickstartKeys, writeQuickstartEnv } from './quickstart-env.js';
export type { QuickstartEnv, QuickstartKeys } from './quickstart-env.js';
export { writeReadyBlock } from './ready-block.js';
export type { ReadyBlockInput } from './ready-block.js';
export { readSecrets } from './secrets.js';
export type { Secrets } from './secrets.js';
export { KeptSimulator } from './simulator-process.js';
export { UPSTREAM_SETTINGS, upstreamTargets } from './upstream-targets.js';
export type { UpstreamSettings, UpstreamTarget } from './upstream-targets.js';
