import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** A rule of deploy/prometheus/rules. */
export interface Rule {
  file: string;
  alert?: string;
  record?: string;
  expr: string;
  labels?: { severity: string };
  annotations?: { summary: string; description: string; runbook_url: string };
}

/** A test of deploy/prometheus/tests, for `promtool test rules`. */
export interface RuleTest {
  file: string;
  name: string;
  input_series: readonly { series: string; values: string }[];
  promql_expr_test: readonly { expr: string; eval_time: string; exp_samples: readonly { labels: string; value: number }[] }[];
}

export interface ScrapeConfig {
  job_name: string;
  static_configs?: readonly { targets: readonly string[] }[];
  dns_sd_configs?: readonly { names: readonly string[]; type: string; port: number }[];
}

/** All rules, in the order of the files. */
export function readRules(root: string): Rule[] {
  return documentsIn(join(root, 'deploy/prometheus/rules')).flatMap(({ file, document }) => {
    const { groups } = document as { groups: readonly { rules: readonly Omit<Rule, 'file'>[] }[] };
    return groups.flatMap(({ rules }) => rules.map((rule) => ({ file, ...rule })));
  });
}

export function readRuleTests(root: string): RuleTest[] {
  return documentsIn(join(root, 'deploy/prometheus/tests')).flatMap(({ file, document }) => (document as { tests: readonly Omit<RuleTest, 'file'>[] }).tests.map((test) => ({ file, ...test })));
}

export function readScrapeConfigs(root: string): ScrapeConfig[] {
  return (parse(readFileSync(join(root, 'deploy/prometheus/prometheus.yml'), 'utf8')) as { scrape_configs: ScrapeConfig[] }).scrape_configs;
}

function documentsIn(folder: string): { file: string; document: unknown }[] {
  return readdirSync(folder)
    .sort()
    .map((file) => ({ file, document: parse(readFileSync(join(folder, file), 'utf8')) as unknown }));
}

/** The anchors of a Markdown text, as its hosts make them of headings. */
export function anchorsOf(markdown: string): Set<string> {
  const headings = [...markdown.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(headings.map((heading) => heading.toLowerCase().replace(/[^\w\- ]/g, '').trim().replaceAll(' ', '-')));
}
