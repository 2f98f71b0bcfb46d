import type { QuickstartKeys } from './quickstart.js';
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
  const groups = targets.map(({ platform, baseUrl: upstream, real }) => {
    const where = real ? `SPENDS REAL MONEY at ${upstream}` : `simulated by ${upstream}`;
    return `  ${platform.padEnd(10)} ${where}${showKeys ? `\n             key ${quickstart.keys.get(platform)}` : ''}`;
  });
  const path = quickstart.path.replaceAll("'", "'\\''");
  return [
    `TokOne is ready on ${baseUrl} (started in ${(startedInMs / 1000).toFixed(1)} s)`,
    '',
    'Groups',
    ...groups,
    showKeys ? `The keys are not shown again; they are kept in ${quickstart.path}` : `Keys: ${quickstart.path}`,
    '',
    'First call (paste it into another terminal):',
    `. '${path}' && curl -sS "$TOKONE_BASE_URL/v1/chat/completions" -H "Authorization: Bearer $TOKONE_OPENAI_KEY" -H 'Content-Type: application/json' -d '{"model":"gpt-5.5","messages":[{"role":"user","content":"Reply with OK"}]}'`,
    '',
    'Stop with Ctrl-C.',
    '',
  ].join('\n');
}
