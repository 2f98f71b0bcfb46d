import type { Machine } from './machine.js';
import { spread } from './statistics.js';
import type { Spread } from './statistics.js';

export function writeTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

/** `12.3 (11.9..14.0)` */
export function writeSpread({ median: middle, min, max }: Spread, digits: number): string {
  return `${middle.toFixed(digits)} (${min.toFixed(digits)}..${max.toFixed(digits)})`;
}

export function writeSpreadOf(values: readonly number[], digits: number): string {
  return writeSpread(spread(values), digits);
}

/** The machine, and how busy it was with other things: figures of a busy one are not to be believed. */
export function writeMeasured({ date, processor, processors, memoryGb, system, node }: Machine, slices: readonly { load: number; foreignShare?: number }[]): string {
  const shares = slices.flatMap(({ foreignShare }) => foreignShare ?? []);
  const foreign = shares.length > 0 ? ` Others had at most ${(Math.max(...shares) * 100).toFixed(0)} % of the processors.` : '';
  const loads = slices.map(({ load }) => load.toFixed(1)).join(', ');
  return `Measured on ${date}: ${processor}, ${processors} processors, ${memoryGb} GB, ${system}; Node ${node}.${foreign} Load average behind each slice: ${loads}.`;
}
