export interface SimulatorSettings {
  readonly host: string;
  readonly port: number;
  readonly chunkDelayMs: number;
  readonly chunkTokens: number;
  readonly truthCapacity: number;
  /** POST /shutdown needs it; without it there is no such path. */
  readonly shutdownToken?: string;
  /** How long to live on when standard input is closed; without it, standard input means nothing. */
  readonly orphanExitMs?: number;
}

/** Reads the settings of the simulator's process; throws an Error with a sentence for a value that cannot be. */
export function readSimulatorSettings(environment: Readonly<Record<string, string | undefined>>): SimulatorSettings {
  const whole = (name: string, { fallback, least = 0, most }: { fallback: number; least?: number; most: number }): number => {
    const value = environment[name];
    if (value === undefined || value === '') return fallback;
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < least || number > most) throw new Error(`${name} must be a whole number from ${least} to ${most}, not "${value}".`);
    return number;
  };
  return {
    host: environment['HOST'] || '127.0.0.1',
    port: whole('PORT', { fallback: 0, most: 65_535 }),
    chunkDelayMs: whole('SIMULATOR_CHUNK_DELAY_MS', { fallback: 5, most: 60_000 }),
    chunkTokens: whole('SIMULATOR_CHUNK_TOKENS', { fallback: 4, least: 1, most: 10_000 }),
    truthCapacity: whole('SIMULATOR_TRUTH_CAPACITY', { fallback: 200_000, least: 1, most: 10_000_000 }),
    ...(environment['SIMULATOR_TOKEN'] ? { shutdownToken: environment['SIMULATOR_TOKEN'] } : {}),
    ...(environment['SIMULATOR_ORPHAN_EXIT_MS'] ? { orphanExitMs: whole('SIMULATOR_ORPHAN_EXIT_MS', { fallback: 0, most: 86_400_000 }) } : {}),
  };
}
