import { METRICS, PROCESS_METRIC_NAMES, type MetricRow } from '@tokone/telemetry';
import { readExpression, type Selector } from './promql.js';

/** Label → its values; undefined where they are not ours to know. */
type Labels = Readonly<Record<string, readonly string[] | undefined>>;

/** What Prometheus adds to each series that it reads. */
const ADDED: Labels = { job: undefined, instance: undefined };
/** Series that Prometheus makes itself. */
const ITS_OWN: Readonly<Record<string, Labels>> = { up: ADDED, ALERTS: { ...ADDED, alertname: undefined, alertstate: ['pending', 'firing'], severity: ['page', 'ticket'] } };
const OF_THE_PROCESS: Readonly<Record<string, Labels>> = {
  nodejs_gc_duration_seconds: { kind: undefined, le: undefined },
  nodejs_heap_space_size_used_bytes: { space: undefined },
  nodejs_active_resources: { type: undefined },
};
const PARTS_OF_A_HISTOGRAM = /_(bucket|sum|count)$/;

/** The labels of a metric that is there to be asked for; undefined for any other. `recorded`: what rules record. */
function labelsOf(name: string, recorded: ReadonlySet<string>): Labels | undefined {
  const own = ITS_OWN[name] ?? (recorded.has(name) ? {} : undefined);
  if (own !== undefined) return own;
  const base = name.replace(PARTS_OF_A_HISTOGRAM, '');
  const row = (METRICS as Readonly<Record<string, MetricRow>>)[name] ?? (METRICS as Readonly<Record<string, MetricRow>>)[base];
  if (row === undefined) return ofTheProcess(name, base);
  // A histogram has no series of its own name, and nothing else has parts.
  if ((row.kind === 'histogram') !== (base !== name)) return undefined;
  const labels = Object.entries(row.labels).map(([label, values]) => [label, 'most' in values ? undefined : values] as const);
  return { ...ADDED, ...Object.fromEntries(labels), ...(name.endsWith('_bucket') && { le: row.buckets?.map(String).concat('+Inf') }) };
}

function ofTheProcess(name: string, base: string): Labels | undefined {
  const known = new Set<string>(PROCESS_METRIC_NAMES);
  const wanted = base === 'nodejs_gc_duration_seconds' && base !== name ? base : name;
  return known.has(wanted) ? { ...ADDED, ...OF_THE_PROCESS[wanted] } : undefined;
}

/** What an expression asks for and nobody exposes: metrics, labels, values of labels. */
export function expressionFaults(text: string, recorded: ReadonlySet<string> = new Set()): string[] {
  const { selectors, groupings } = readExpression(text);
  const known = selectors.map(({ metric }) => labelsOf(metric, recorded));
  const ungrouped = groupings.filter((label) => !known.some((labels) => labels !== undefined && label in labels));
  return [...selectors.flatMap((selector, index) => selectorFaults(selector, known[index])), ...ungrouped.map((label) => `no metric of the expression has the label ${label}`)];
}

function selectorFaults({ metric, matchers }: Selector, labels: Labels | undefined): string[] {
  if (labels === undefined) return [`${metric} does not exist`];
  return matchers.flatMap(({ label, operator, value }) => {
    if (!(label in labels)) return [`${metric} has no label ${label}`];
    const values = labels[label];
    // A variable of a dashboard is filled in by Grafana.
    if (values === undefined || value.includes('$')) return [];
    const asked = operator.endsWith('~') ? value.split('|') : [value];
    return asked.filter((one) => !values.includes(one)).map((one) => `${metric}{${label}} is never ${one}`);
  });
}
