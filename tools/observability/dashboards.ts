import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Panel {
  id: number;
  type: string;
  title: string;
  description?: string;
  datasource?: { uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  targets?: readonly { refId: string; expr: string; datasource: { uid: string } }[];
}

export interface Dashboard {
  uid: string;
  title: string;
  templating: { list: readonly { name: string; type: string }[] };
  links: readonly { url: string }[];
  panels: readonly Panel[];
}

/** The dashboards that Grafana is given, by the name of their file. */
export function readDashboards(root: string): [string, Dashboard][] {
  const folder = join(root, 'deploy/grafana/dashboards');
  return readdirSync(folder).map((file) => [file, JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dashboard]);
}

/** Panels that lie on each other, or beside the 24 columns. */
export function misplaced(panels: readonly Panel[]): string[] {
  return panels.flatMap(({ title, gridPos: one }, index) => {
    const covered = panels.slice(index + 1).filter(({ gridPos: other }) => one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h);
    return [...(one.x + one.w > 24 ? [`${title} is too wide`] : []), ...covered.map((other) => `${title} covers ${other.title}`)];
  });
}
