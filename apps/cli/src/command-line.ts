import { Command, CommanderError } from 'commander';
import { CommandError, ManagementClient } from './management-client.js';

export interface CommandLineWorld {
  dataFolder: string;
  print(text: string): void;
  complain(text: string): void;
}

/** Runs one command of the operator. Returns the exit status: 0 done, 1 refused, 2 not understood. */
export async function runCommandLine(argv: readonly string[], world: CommandLineWorld): Promise<number> {
  const program = new Command('tokone')
    .description("The operator's command line. It speaks to the TokOne that runs on TOKONE_DATA_DIR.")
    .option('--json', 'print only JSON')
    .exitOverride()
    .configureOutput({ writeOut: (text) => world.print(text.trimEnd()), writeErr: (text) => world.complain(text.trimEnd()) });
  const json = argv.includes('--json');
  const run = async (method: 'GET' | 'POST', path: string, body?: unknown) => {
    const client = await ManagementClient.of(world.dataFolder);
    const answer = await client.call(method, path, body);
    world.print(json ? JSON.stringify(answer) : describe(answer, ''));
  };
  addAccounts(program.command('account').description('tenants and their balances'), run);
  addKeys(program.command('key').description('API keys'), run);
  program.command('group').description('what keys can be made for').command('list').action(() => run('GET', '/api/v1/groups'));
  program
    .command('charge')
    .description('what a request cost, and why')
    .command('show <request-id>')
    .description('the charge of a request: the x-request-id of its answer')
    .action((id: string) => run('GET', `/api/v1/charges/${encodeURIComponent(id)}`));
  // --json is understood before and behind a command.
  for (const command of program.commands.flatMap((group) => group.commands)) command.option('--json', 'print only JSON').exitOverride();
  try {
    await program.parseAsync([...argv]);
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    world.complain(error instanceof CommandError ? error.message : `This should not happen: ${error instanceof Error ? error.stack : String(error)}`);
    return 1;
  }
}

type Run = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<void>;

function addAccounts(account: Command, run: Run): void {
  account
    .command('create')
    .description('make an account')
    .requiredOption('--name <name>', 'how people call it')
    .action(({ name }: { name: string }) => run('POST', '/api/v1/accounts', { name }));
  account.command('list').description('all accounts').action(() => run('GET', '/api/v1/accounts'));
  account
    .command('show <id>')
    .description('an account and its balance')
    .action((id: string) => run('GET', `/api/v1/accounts/${encodeURIComponent(id)}`));
  account
    .command('top-up <id> <usd>')
    .description('add to a balance, in USD')
    .option('--id <uuid>', 'the same id twice tops up once')
    .option('--memo <text>', 'why')
    .action((account_: string, amount: string, { id, memo }: { id?: string; memo?: string }) =>
      run('POST', `/api/v1/accounts/${encodeURIComponent(account_)}/top-ups`, { amount, ...(id !== undefined && { id }), ...(memo !== undefined && { memo }) }),
    );
}

function addKeys(key: Command, run: Run): void {
  key
    .command('create')
    .description('make a key; it is shown once')
    .requiredOption('--account <id>', 'whose it is')
    .requiredOption('--group <name>', 'which group it can call')
    .option('--name <name>', 'how people call it')
    .action(({ account, group, name }: { account: string; group: string; name?: string }) => run('POST', '/api/v1/keys', { account, group, ...(name !== undefined && { name }) }));
  key
    .command('list')
    .description("an account's keys")
    .requiredOption('--account <id>', 'whose')
    .action(({ account }: { account: string }) => run('GET', `/api/v1/keys?account=${encodeURIComponent(account)}`));
  key
    .command('disable <id>')
    .description('stop a key, within 5 s')
    .action((id: string) => run('POST', `/api/v1/keys/${encodeURIComponent(id)}/disable`, {}));
}

/** Nested values as indented `name: value` lines. */
function describe(value: unknown, indent: string): string {
  if (Array.isArray(value)) return value.length === 0 ? `${indent}(none)` : value.map((item) => `${indent}-\n${describe(item, `${indent}  `)}`).join('\n');
  if (typeof value !== 'object' || value === null) return `${indent}${String(value)}`;
  return Object.entries(value)
    .map(([name, inner]) => (typeof inner === 'object' && inner !== null ? `${indent}${name}:\n${describe(inner, `${indent}  `)}` : `${indent}${name}: ${String(inner)}`))
    .join('\n');
}
