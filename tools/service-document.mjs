// docs/services.md: what each service can be told, from the tables that the services themselves read.
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

/**
 * @typedef {{ about: string, fallback: string | undefined, secret?: boolean }} Setting
 * @typedef {{ name: string, about: string, settings: Record<string, Setting> }} Service
 */

/** Where each table stands, below dist or src. @type {readonly { name: string, about: string, module: string, table: string }[]} */
export const serviceTables = [
  { name: 'gateway', about: 'Takes the requests of tenants. Any number, each with a spool of its own on a disk that outlives the process.', module: 'apps/gateway/dist/settings.js', table: 'SETTINGS' },
  { name: 'openai-adapter, anthropic-adapter, gemini-adapter', about: 'Send requests to providers. Any number each.', module: 'libs/adapter-kit/dist/adapter-service.js', table: 'ADAPTER_SETTINGS' },
  { name: 'billing', about: 'Rates usage, publishes charges, knows prices. Any number.', module: 'apps/billing/dist/settings.js', table: 'SETTINGS' },
  { name: 'account', about: 'Owns keys, groups, upstreams and the ledger. Any number. Its management listener has the operator’s API.', module: 'apps/account/dist/settings.js', table: 'SETTINGS' },
  { name: 'migrate', about: 'A command: tables, a role for each service, price book and topics. Before the first start and at each upgrade.', module: 'apps/migrate/dist/settings.js', table: 'SETTINGS' },
  { name: 'init', about: 'A command: groups, a demo account with $10 and a key for each group. Prints the keys.', module: 'apps/init/dist/settings.js', table: 'SETTINGS' },
  { name: 'npm run start:services', about: 'All of them on one machine, with their servers.', module: 'apps/services/dist/settings.js', table: 'SETTINGS' },
];

/** @param {readonly Service[]} services */
export function writeServiceDocument(services) {
  const parts = services.map(({ name, about, settings }) => `## ${name}\n\n${about}\n\n${writeTable(settings)}\n`);
  return `# Settings of the services\n\nGenerated from the tables that the services read; \`node tools/documents.mjs\` writes it anew, and a test compares the two.\n\nSettings are environment variables; an empty one counts as not set, and a wrong value stops the start with a sentence that\nnames it. \`node apps/<name>/dist/main.js --help\` lists them too.\n\n${parts.join('\n')}`;
}

/** @param {Record<string, Setting>} settings */
function writeTable(settings) {
  const rows = Object.entries(settings).map(([name, { about, fallback, secret }]) => `| \`${name}\` | ${fallback === undefined ? '' : `\`${fallback}\``} | ${about}${secret === true ? ' A secret.' : ''} |`);
  return ['| setting | default | meaning |', '|---|---|---|', ...rows].join('\n');
}

/** @param {string} root */
export async function documentServices(root) {
  const services = await Promise.all(
    serviceTables.map(async ({ name, about, module, table }) => ({ name, about, settings: (await import(pathToFileURL(join(root, module)).href))[table] })),
  );
  return writeServiceDocument(services);
}
