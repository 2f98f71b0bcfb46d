import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { readComposeFile } from './image/compose-file.js';
import { expressionFaults } from './observability/expression-faults.js';
import { anchorsOf, readRules, readRuleTests, readScrapeConfigs, type Rule } from './observability/rule-files.js';
import { workspaceRoot } from './workspace.mjs';

const rules = readRules(workspaceRoot);
const recorded = new Set(rules.flatMap(({ record }) => record ?? []));
const alerts = rules.filter((rule): rule is Rule & Required<Pick<Rule, 'alert' | 'labels' | 'annotations'>> => rule.alert !== undefined);
const tests = readRuleTests(workspaceRoot);
const handbook = readFileSync(join(workspaceRoot, 'docs/operations.md'), 'utf8');

describe('deploy/prometheus/rules', () => {
  it.each(rules.map((rule) => [rule.alert ?? rule.record ?? '', rule] as const))('%s asks for metrics, labels and values that exist', (_name, { expr }) => {
    expect(expressionFaults(expr, recorded)).toEqual([]);
  });

  it('have a name each', () => {
    const names = rules.map(({ alert, record }) => alert ?? record);
    expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
  });

  it('alert on everything by which money is lost or stuck, or requests are refused', () => {
    const wanted = [
      'ReconciliationMismatch', 'ReconciliationNotRun', 'WriteOff', 'RatingDifference', 'UsageParked', 'UsageDead', 'SpoolAge', 'SpoolNearlyFull', 'SpoolErrors',
      'OutboxAge', 'BillingLag', 'ChargeLogLag', 'FenceSlow', 'OpeningSlow', 'AccountsWaiting', 'AdmissionUnavailable', 'GatewayNotHeard', 'HoldsLeftBehind',
      'KeyLookupsFailing', 'TargetDown', 'GatewayNotAccepting', 'EventLoopDelay', 'UpstreamFailing', 'ErrorBudgetFast',
    ];
    const there = new Set(alerts.map(({ alert }) => alert));
    expect(wanted.filter((name) => !there.has(name))).toEqual([]);
  });
});

describe('the alert', () => {
  it.each(alerts.map((rule) => [rule.alert, rule] as const))('%s says how urgent it is, what it means, and where the handbook has it', (alert, { labels, annotations }) => {
    expect(['page', 'ticket']).toContain(labels.severity);
    expect(annotations.summary.length).toBeGreaterThan(15);
    expect(annotations.description).toMatch(/\w.{40,}\.$/);
    expect(annotations.runbook_url).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect([...anchorsOf(handbook)]).toContain(alert.toLowerCase());
  });

  it.each(alerts.map(({ alert, file }) => [alert, file] as const))('%s is shown to be silent and to fire', (alert, file) => {
    const own = tests.filter((test) => test.file === file && test.name.startsWith(`${alert}: `));
    const answers = own.flatMap(({ promql_expr_test }) => promql_expr_test).filter(({ expr }) => expr === `ALERTS{alertname="${alert}",alertstate="firing"}`);
    expect(answers.some(({ exp_samples }) => exp_samples.length === 0)).toBe(true);
    expect(answers.some(({ exp_samples }) => exp_samples.length > 0)).toBe(true);
  });
});

describe('deploy/prometheus/tests', () => {
  it.each(tests.map((test) => [test.name, test] as const))('%s: its series are of metrics that exist', (_name, { input_series }) => {
    expect(input_series.flatMap(({ series }) => expressionFaults(series))).toEqual([]);
  });

  it('have series for everything that an alert asks for in what is well: a rule without data is silent for nothing', () => {
    const given = new Set(tests.filter(({ file }) => file === 'healthy.yml').flatMap(({ input_series }) => input_series.map(({ series }) => series.replace(/\{.*/, ''))));
    const asked = new Set(alerts.flatMap(({ expr }) => [...expr.matchAll(/\b(?:gw|bill|acct|upstream|process|nodejs)_\w+/g)].map(([name]) => name)));
    expect([...asked].filter((name) => !given.has(name))).toEqual([]);
  });
});

describe('deploy/prometheus/prometheus.yml', () => {
  const configs = readScrapeConfigs(workspaceRoot);
  const targets = configs.flatMap(({ static_configs = [], dns_sd_configs = [] }) => [...static_configs.flatMap((config) => config.targets), ...dns_sd_configs.flatMap(({ names, port }) => names.map((name) => `${name}:${port}`))]);

  it('looks at every service of docker-compose.yml that has metrics', () => {
    const { services } = readComposeFile(workspaceRoot);
    const measured = Object.entries(services).flatMap(([name, { environment }]) => (environment?.['MANAGEMENT_PORT'] === undefined ? [] : [`${name}:${environment['MANAGEMENT_PORT']}`]));
    expect(measured.length).toBeGreaterThan(5);
    expect(targets.filter((target) => target !== '127.0.0.1:9090').sort()).toEqual(measured.sort());
  });

  it('asks the name server only for jobs that ServiceAbsent misses', () => {
    const absent = alerts.find(({ alert }) => alert === 'ServiceAbsent')?.expr ?? '';
    const missed = [...absent.matchAll(/absent\(up\{job="([\w-]+)"\}\)/g)].map(([, job]) => job);
    expect(configs.filter(({ dns_sd_configs }) => dns_sd_configs !== undefined).map(({ job_name }) => job_name)).toEqual(missed);
  });
});

describe('docs/operations.md', () => {
  const spans = [...handbook.matchAll(/`([^`\n]+)`/g)].map(([, span = '']) => span);
  const asking = spans.filter((span) => /^(gw|bill|acct|process|nodejs)_|^upstream_(requests|request|first|failovers)_|^tokone:\w+:/.test(span));

  it('names only metrics, labels and values that exist', () => {
    expect(asking.length).toBeGreaterThan(30);
    expect(asking.flatMap((span) => expressionFaults(familyOf(span), recorded))).toEqual([]);
  });

  it('has a heading only for alerts that exist', () => {
    const runbook = handbook.slice(handbook.indexOf('\n## Runbook'));
    const headings = [...runbook.matchAll(/^### (\w+)$/gm)].map(([, heading]) => heading);
    expect(headings.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
  });
});

/** A histogram is named as a whole in a text. */
function familyOf(span: string): string {
  return expressionFaults(span, recorded).length > 0 && !span.includes('{') ? `${span}_count` : span;
}
