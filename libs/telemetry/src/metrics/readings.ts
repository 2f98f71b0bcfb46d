import type { MetricFamily } from './metric-family.js';
import type { LabelsOf, NameOf } from './metric-table.js';
import type { Level } from './series.js';

type GaugeName = NameOf<'gauge'>;

/** One question whose answer fills gauges: to a database, to a broker, or to an object in memory. */
export interface Reading<Name extends GaugeName> {
  /** All that the answer can fill. */
  gauges: readonly Name[];
  read(set: <Filled extends Name>(name: Filled, labels: LabelsOf<Filled>, value: number) => void): Promise<void> | void;
  /** An answer is used for so long, however many look; default 0. */
  freshMs?: number;
}

interface KeptReading {
  reading: Reading<GaugeName>;
  families: readonly MetricFamily<Level>[];
  readAtMs: number;
  running: Promise<void> | undefined;
}

/** Somebody who looks waits no longer for a part that does not answer. */
const DEADLINE_MS = 2_000;

/** The questions of a registry, asked side by side. One that fails or is late costs its own gauges their lines, nothing else. */
export class Readings {
  private readonly kept: KeptReading[] = [];

  constructor(private readonly deadlineMs = DEADLINE_MS) {}

  add(reading: Reading<GaugeName>, families: readonly MetricFamily<Level>[]): void {
    this.kept.push({ reading, families, readAtMs: Number.NEGATIVE_INFINITY, running: undefined });
  }

  async refresh(): Promise<void> {
    const open = this.kept.map((kept) => ask(kept)).filter((answer) => answer !== undefined);
    if (open.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => (timer = setTimeout(resolve, this.deadlineMs)));
    await Promise.race([Promise.all(open), late]);
    clearTimeout(timer);
    // A number that is not known any more must not look as if it were.
    for (const { running, families } of this.kept) if (running) clear(families);
  }
}

/** What is to be waited for: nothing where the answer is there at once, or is still fresh. */
function ask(kept: KeptReading): Promise<void> | undefined {
  const { reading, families } = kept;
  // One that hangs is not asked a second time beside it.
  if (kept.running) return kept.running;
  if (performance.now() - kept.readAtMs < (reading.freshMs ?? 0)) return undefined;
  const found: (() => void)[] = [];
  const done = (): void => {
    kept.readAtMs = performance.now();
    kept.running = undefined;
    clear(families);
    for (const write of found) write();
  };
  const failed = (): void => {
    kept.running = undefined;
    clear(families);
  };
  try {
    const answer = reading.read((name, labels, value) => {
      const family = families[reading.gauges.indexOf(name)];
      found.push(() => {
        if (family) family.with(labels as Readonly<Record<string, string>>).value = value;
      });
    });
    if (answer === undefined) return void done();
    kept.running = answer.then(done, failed);
    return kept.running;
  } catch {
    return void failed();
  }
}

function clear(families: readonly MetricFamily<Level>[]): void {
  for (const family of families) family.clear();
}
