import { ALARM_METRICS } from './alarm-metrics.js';
import { METRICS, METRIC_SERVICES, labelSetsOf, metricsOf, seriesBoundOf } from './metric-table.js';
import type { MetricRow, MetricService } from './metric-table.js';
import { PROCESS_METRIC_NAMES, PROCESS_SERIES_BOUND } from './process-metrics.js';

const INTRODUCTION = `# Metrics

Generated from \`libs/telemetry/src/metrics/metric-table.ts\`; a test compares the two, \`node tools/documents.mjs\` writes it anew.

Every service answers \`GET /metrics\` on its management listener, in the text of Prometheus (version 0.0.4), without a
credential: the listener belongs where tenants do not reach it. Of \`npm start\` this is the listener of the management API,
on 127.0.0.1; \`MANAGEMENT_PORT\` gives it a fixed port, and \`operator.json\` in the data folder has its address. The one
process exposes the metrics of all services, each process of \`npm run start:services\` those of its own;
\`services.json\` in the data folder names their addresses. A gateway with \`TOKONE_ADAPTERS=in-process\` has those of the
adapters too.

No label holds an account, a key, a user, a request id, or a word of a caller. The models are those of the price book:
a request for another one is refused before it gets to an adapter, and beyond the bound a model is \`other\`. A gauge that
cannot be read, because the database or Kafka does not answer within 2 s, has no line until it can. Counters begin at 0
with each process. Where a metric has at most 100 series all of them stand there from the start, at 0.
`;

const HEADINGS: Readonly<Record<MetricService, string>> = {
  gateway: 'Gateway',
  adapter: 'Adapters',
  billing: 'Billing',
  account: 'Account',
};

/** The table of metrics as Markdown: the whole text of `docs/metrics.md`. */
export function documentMetrics(): string {
  const sections = METRIC_SERVICES.map((service) => sectionOf(service));
  return [INTRODUCTION, ...sections, processSection(), labelSection(), alarmSection()].join('\n');
}

function sectionOf(service: MetricService): string {
  const names = metricsOf([service]);
  const rows = names.map((name) => `| \`${name}\` | ${METRICS[name].kind} | ${labelCell(METRICS[name])} | ${METRICS[name].help} |`);
  const bound = names.reduce((sum, name) => sum + seriesBoundOf(METRICS[name]), 0);
  return [`## ${HEADINGS[service]}`, '', `At most ${bound} series.`, '', '| metric | kind | labels | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

function labelCell({ labels }: MetricRow): string {
  return Object.keys(labels)
    .map((label) => `\`${label}\``)
    .join(', ');
}

function processSection(): string {
  const names = PROCESS_METRIC_NAMES.map((name) => `\`${name}\``).join(', ');
  return `## Every process\n\nAt most ${PROCESS_SERIES_BOUND} series: ${names}.\n`;
}

/** Every label of a metric with its values, but for the kinds of alarms, which have a table of their own. */
function labelSection(): string {
  const rows = metricsOf(METRIC_SERVICES).flatMap((name) => {
    const row: MetricRow = METRICS[name];
    const cells = Object.entries(row.labels).map(([label, values]) => `| \`${name}\` | \`${label}\` | ${valueCell(name, values)} |`);
    return labelSetsOf(row) === 1 ? [] : cells;
  });
  return ['## Labels', '', '| metric | label | values |', '|---|---|---|', ...rows, ''].join('\n');
}

function valueCell(name: string, values: MetricRow['labels'][string]): string {
  if ('most' in values) return `${values.from}, at most ${values.most}; else \`other\``;
  if (name.endsWith('_alarms_total')) return 'see below';
  return values.map((value) => `\`${value}\``).join(', ');
}

function alarmSection(): string {
  const rows = Object.entries(ALARM_METRICS).map(([kind, metric]) => `| \`${kind}\` | \`${metric}\` |`);
  return ['## Alarms', '', 'Every alarm is a line of level `error` in the log, and counted.', '', '| kind | counted by |', '|---|---|', ...rows, ''].join('\n');
}
