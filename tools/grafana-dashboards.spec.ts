import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { parse } from 'yaml';
import { readComposeFile } from './image/compose-file.js';
import { misplaced, readDashboards, type Panel } from './observability/dashboards.js';
import { expressionFaults } from './observability/expression-faults.js';
import { readExpression } from './observability/promql.js';
import { readRules } from './observability/rule-files.js';
import { workspaceRoot } from './workspace.mjs';

const dashboards = readDashboards(workspaceRoot);
const rules = readRules(workspaceRoot);
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
const panels = dashboards.flatMap(([file, dashboard]) => dashboard.panels.filter(({ type }) => type !== 'row').map((panel) => [`${file}: ${panel.title}`, panel] as const));
const provisioning = (path: string): unknown => parse(readFileSync(join(workspaceRoot, 'deploy/grafana/provisioning', path), 'utf8'));

describe('the dashboards', () => {
  it('have a name of their own each, and lead to each other', () => {
    const ids = dashboards.map(([, { uid }]) => uid);
    expect(ids.sort()).toEqual(['tokone-money', 'tokone-services']);
    for (const [, { links, uid }] of dashboards) expect(links.map(({ url }) => url)).toEqual(ids.filter((other) => other !== uid).map((other) => `/d/${other}`));
  });

  it.each(dashboards)('%s has panels with an id each, none of which covers another', (_file, { panels: all, templating }) => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(misplaced(all)).toEqual([]);
    expect(templating.list).toContainEqual(expect.objectContaining({ name: 'datasource', type: 'datasource' }));
  });

  it('begin with whether money is lost, and then where it is stuck', () => {
    const money = dashboards.find(([, { uid }]) => uid === 'tokone-money')?.[1];
    const rows = money?.panels.filter(({ type }) => type === 'row').map(({ title }) => title);
    expect(rows?.slice(0, 2)).toEqual(['Is money being lost?', 'Where is it stuck?']);
    expect(money?.panels[0]?.type).toBe('row');
  });

  it('show everything that an alert asks for', () => {
    const shown = new Set(panels.flatMap(([, { targets = [] }]) => targets.flatMap(({ expr }) => readExpression(expr).selectors.map(({ metric }) => metric))));
    // What was recorded stands for what it is recorded from.
    const asked = rules.filter(({ alert }) => alert !== undefined).flatMap(({ expr }) => readExpression(expr).selectors.map(({ metric }) => metric));
    const missing = new Set(asked.filter((metric) => !shown.has(metric)));
    // The start of a process shows nothing by itself, and the count beside a quantile is on no panel of its own.
    expect([...missing].sort()).toEqual(['gw_overhead_seconds_count', 'process_start_time_seconds']);
  });
});

describe('the panel', () => {
  it.each(panels)('%s asks for metrics that exist, of the data source that was chosen', (_title, { targets = [], datasource }: Panel) => {
    expect(targets.length).toBeGreaterThan(0);
    expect(targets.flatMap(({ expr }) => expressionFaults(expr, recorded))).toEqual([]);
    expect([datasource, ...targets.map((target) => target.datasource)].map((source) => source?.uid)).toEqual(new Array(targets.length + 1).fill('${datasource}'));
    expect(new Set(targets.map(({ refId }) => refId)).size).toBe(targets.length);
  });

  it.each(panels)('%s says what right looks like', (_title, { description = '' }) => {
    expect(description).toMatch(/\w.{30,}\.$/);
  });

  it.each(panels)('%s names alerts only that exist', (_title, { description = '' }) => {
    const alerts = new Set(rules.flatMap(({ alert }) => alert ?? []));
    const named = [...description.matchAll(/\bsee ((?:[A-Z]\w+[a-z][A-Z]?\w*(?:, )?)+)/gi)].flatMap(([, list = '']) => list.split(', '));
    expect(named.filter((name) => /^[A-Z]\w+[A-Z]/.test(name) && !alerts.has(name))).toEqual([]);
  });
});

describe('deploy/grafana/provisioning', () => {
  const { services } = readComposeFile(workspaceRoot);
  const mounts = new Map((services['grafana']?.volumes ?? []).map((volume) => [volume.split(':')[1] ?? '', volume.split(':')[0] ?? '']));

  it('leads to Prometheus by its name in docker-compose.yml', () => {
    const { datasources } = provisioning('datasources/prometheus.yml') as { datasources: { type: string; url: string; uid: string }[] };
    expect(datasources).toEqual([expect.objectContaining({ type: 'prometheus', url: 'http://prometheus:9090', uid: 'tokone-prometheus' })]);
    expect(services['prometheus']).toBeDefined();
    expect(mounts.get('/etc/grafana/provisioning')).toBe('./deploy/grafana/provisioning');
  });

  it('takes the dashboards from where they are', () => {
    const { providers } = provisioning('dashboards/tokone.yml') as { providers: { options: { path: string } }[] };
    expect(providers.map(({ options }) => mounts.get(options.path))).toEqual(['./deploy/grafana/dashboards']);
    const home = String(services['grafana']?.environment?.['GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH']);
    expect(existsSync(join(workspaceRoot, 'deploy/grafana/dashboards', home.replace('/etc/grafana/dashboards/', '')))).toBe(true);
  });
});
