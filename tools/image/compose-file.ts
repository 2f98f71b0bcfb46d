import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** What the checks look at; dclint sees to it that the rest has its form. */
export interface ComposeService {
  image: string;
  build?: { context: string; dockerfile: string; args: { APP: string } };
  environment?: Readonly<Record<string, string | number>>;
  entrypoint?: readonly string[];
  command?: readonly string[];
  depends_on?: Readonly<Record<string, { condition: string }>>;
  healthcheck?: { test: readonly string[] };
  networks: readonly string[];
  ports?: readonly string[];
  volumes?: readonly string[];
  tmpfs?: readonly string[];
  user?: string;
  restart: string;
  read_only?: boolean;
  cap_drop?: readonly string[];
  security_opt?: readonly string[];
  privileged?: boolean;
  pids_limit?: number;
  stop_grace_period?: string;
  profiles?: readonly string[];
}

export interface ComposeFile {
  services: Readonly<Record<string, ComposeService>>;
  networks: Readonly<Record<string, { internal?: boolean }>>;
  volumes: Readonly<Record<string, object>>;
}

/** docker-compose.yml with its anchors resolved. */
export function readComposeFile(root: string): ComposeFile {
  return parse(readFileSync(join(root, 'docker-compose.yml'), 'utf8'), { merge: true }) as ComposeFile;
}

/** A variable of the file, as `${NAME:-fallback}`, `${NAME:+instead}` or `${NAME:?what to do}`. */
export interface ComposeVariable {
  name: string;
  fallback: string | undefined;
  isRequired: boolean;
}

const VARIABLE = /\$\$|\$\{(\w+)(?:(:-|:\+|:\?)([^}]*))?\}/g;

/** All variables of a text, each as often as it stands there. */
export function variablesIn(text: string): ComposeVariable[] {
  const found = [...text.matchAll(VARIABLE)].filter(([, name]) => name !== undefined);
  return found.map(([, name = '', kind, value]) => ({ name, fallback: kind === ':-' ? value : undefined, isRequired: kind === ':?' }));
}

/** A text as Compose hands it to a container. @throws Error as Compose does, for a required variable without a value */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  return text.replace(VARIABLE, (all, name: string | undefined, kind: string | undefined, rest: string | undefined) => {
    if (name === undefined) return '$';
    const value = values[name] ?? '';
    if (value !== '') return kind === ':+' ? (rest ?? '') : value;
    if (kind === ':?') throw new Error(`${name} has no value: ${rest}`);
    return kind === ':-' ? (rest ?? '') : '';
  });
}

/** The environment of a service's container. */
export function environmentOf(service: ComposeService, values: Readonly<Record<string, string>>): Record<string, string> {
  const entries = Object.entries(service.environment ?? {});
  return Object.fromEntries(entries.map(([name, value]) => [name, interpolate(String(value), values)]));
}

/** Lines `NAME=value` of an env file. */
export function readEnvFile(text: string): Record<string, string> {
  const lines = text.split('\n').filter((line) => /^\w+=/.test(line));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}
