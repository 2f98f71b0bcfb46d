import { ChildProgram } from './child-program.js';

/** One line of the simulator's `GET /truth`. */
export interface TruthRecord {
  id: string;
  dialect: string;
  credential: string;
  model: string;
  streamed: boolean;
  tokens: { input: number; cacheRead: number; cacheWrite5m: number; cacheWrite1h: number; output: number; reasoning: number };
  reported: unknown;
  outcome: string;
  status: number;
  providerRequestId: string;
  bytesWritten: number;
  tag?: string;
  bodySha256: string;
  bodyBytes: number;
}

/** A simulator of the test's own: it lives on when a gateway is killed. */
export class SimulatorProcess {
  private constructor(
    private readonly program: ChildProgram,
    readonly url: string,
  ) {}

  static async start(env: Readonly<Record<string, string>> = {}): Promise<SimulatorProcess> {
    const program = new ChildProgram({ main: 'apps/simulator/dist/main.js', env });
    const [, url = ''] = await program.printed(/"url":"([^"]+)"/, 30_000);
    return new SimulatorProcess(program, url);
  }

  /** Settings that point all groups of a standalone at this simulator. */
  get upstreamSettings(): Record<string, string> {
    return { TOKONE_OPENAI_UPSTREAM_URL: this.url, TOKONE_ANTHROPIC_UPSTREAM_URL: this.url, TOKONE_GEMINI_UPSTREAM_URL: this.url };
  }

  truth(): Promise<TruthRecord[]> {
    return readTruth(this.url);
  }

  async stop(): Promise<void> {
    await this.program.end('SIGTERM', 10_000);
  }
}

export async function readTruth(simulatorUrl: string): Promise<TruthRecord[]> {
  const answer = await fetch(`${simulatorUrl}/truth`, { signal: AbortSignal.timeout(30_000) });
  const lines = (await answer.text()).split('\n').filter((line) => line !== '');
  return lines.map((line) => JSON.parse(line) as TruthRecord);
}
