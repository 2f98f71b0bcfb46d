import type { Machine } from './machine.js';

/** What somebody asked of the whole run. */
export interface BenchOptions {
  /** Few and short slices; nothing is published. */
  quick: boolean;
  cycles?: number;
  /** Workloads and candidates of the relays, by name. */
  only?: readonly string[];
  candidates?: readonly string[];
  /** Events of one slice of the pipeline. */
  events?: number;
  /** Folder for processor profiles. */
  profile?: string;
  /** The service that the pipeline and the services profile. */
  profiled: string;
}

/** What a part may use. */
export interface BenchContext {
  options: BenchOptions;
  machine: Machine;
  /** For files of this part; removed afterwards. */
  folder: string;
  /** Rejects when somebody stops the run. */
  interrupted: Promise<never>;
  say(line: string): void;
}

export interface PartResult {
  /** What goes into the document, Markdown. */
  report: string;
  /** False for less than the whole part: it is shown and not published. */
  whole: boolean;
  /** One measurement each, as it was taken. */
  slices: readonly object[];
  /** What else a reader of the slices must know. */
  about: object;
}

/** One thing that `npm run bench` measures, by itself or among the others. */
export interface BenchPart {
  name: string;
  /** For the list of parts. */
  about: string;
  run(context: BenchContext): Promise<PartResult>;
}
