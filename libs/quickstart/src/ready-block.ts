import { quoteForShell } from './quickstart-env.js';
import type { QuickstartKeys } from './quickstart-env.js';
import type { UpstreamTarget } from './upstream-targets.js';

export interface ReadyBlockInput {
  baseUrl: string;
  startedInMs: number;
  quickstart: QuickstartKeys;
  targets: readonly UpstreamTarget[];
  /** Keys are shown once, on the start that made them, and only to a person. */
  showKeys: boolean;
}

/** What a person sees when everything works. Begins with `TokOne is ready`. */
export function writeReadyBlock({ baseUrl, startedInMs, quickstart, targets, showKeys }: ReadyBlockInput): string {
  const { path, keys } = quickstart;
  const groups = targets.map((target) => {
    const key = showKeys ? `\n             key ${keys.get(target.platform)}` : '';
    return `  ${target.platform.padEnd(10)} ${describeTarget(target)}${key}`;
  });
  return [
    `TokOne is ready on ${baseUrl} (started in ${(startedInMs / 1000).toFixed(1)} s)`,
    '',
    'Groups',
    ...groups,
    showKeys ? `The keys are not shown again; they are kept in ${path}` : `Keys: ${path}`,
    '',
    'First call (paste it into another terminal):',
    `. ${quoteForShell(path)} && curl -sS "$TOKONE_BASE_URL/v1/chat/completions" -H "Authorization: Bearer $TOKONE_OPENAI_KEY" -H 'Content-Type: application/json' -d '{"model":"gpt-5.5","messages":[{"role":"user","content":"Reply with OK"}]}'`,
    '',
    'Stop with Ctrl-C.',
    '',
  ].join('\n');
}

function describeTarget({ kind, baseUrl, keySetting }: UpstreamTarget): string {
  switch (kind) {
    case 'paid':
      return `SPENDS REAL MONEY at ${baseUrl}, because ${keySetting} is set`;
    case 'unpaid':
      return `calls ${baseUrl}, without a provider key`;
    case 'simulated':
      return `simulated by ${baseUrl}: costs no real money`;
  }
}
