import { Command, CommanderError } from 'commander';
import { describeAnswer, describeCharge, describePage } from './answer-text.js';
import { ArgumentError, readAmount, readId } from './argument.js';
import { addLimits } from './limit-command.js';
import { CommandError, ManagementClient, NoAnswerError } from './management-client.js';
import type { ManagementRequest } from './management-client.js';
import { addReconcile } from './reconcile-command.js';

export interface CommandLineWorld {
  dataFolder: string;
  newId(): string;
  print(text: string): void;
  complain(text: string): void;
}

/** Runs one command of the operator. Returns the exit status: 0 done, 1 refused, 2 not understood; `reconcile` has its own. */
export async function runCommandLine(argv: readonly string[], world: CommandLineWorld): Promise<number> {
  const json = argv.includes('--json');
  let ownCode: number | undefined;
  const program = buildProgram({ ...world, json, exit: (code) => (ownCode = code) });
  try {
    await program.parseAsync([...argv]);
    return ownCode ?? 0;
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    const message = sentenceOf(error);
    // Commander has said its own already, where it is not to be JSON.
    if (json) world.complain(JSON.stringify({ error: { message } }));
    else if (!(error instanceof CommanderError)) world.complain(message);
    return ownCode ?? (error instanceof CommanderError || error instanceof ArgumentError ? 2 : 1);
  }
}

type Describe = (answer: unknown) => string;
type Run = (request: { method: ManagementRequest['method']; path: string; body?: object }, describe?: Describe) => Promise<void>;

function buildProgram(world: CommandLineWorld & { json: boolean; exit(code: number): void }): Command {
  const program = new Command('tokone')
    .description("The operator's command line. It speaks to the TokOne that runs on the data folder TOKONE_DATA_DIR.")
    .option('--json', 'print only JSON')
    .addHelpText('after', '\nExit status: 0 done, 1 refused, 2 not understood.')
    .exitOverride()
    .configureOutput({ writeOut: (text) => world.print(text.trimEnd()), writeErr: (text) => (world.json ? undefined : world.complain(text.trimEnd())) });
  const run: Run = async (request, describe = describeAnswer) => {
    const client = await ManagementClient.of(world.dataFolder);
    const answer = await client.call(request);
    world.print(world.json ? JSON.stringify(answer) : describe(answer));
  };
  addAccounts(program.command('account').description('tenants and their balances'), { run, newId: () => world.newId() });
  addKeys(program.command('key').description('API keys'), run);
  addUsers(program.command('user').description('users of an account, whose keys are counted together'), run);
  addLimits(program.command('limit').description('how much may be asked for'), run);
  const group = program.command('group').description('what keys can be made for');
  group.command('list').description('all groups').action(() => run({ method: 'GET', path: '/api/v1/groups' }, describePage));
  const charge = program.command('charge').description('what a request cost, and why');
  charge
    .command('show')
    .description('the charge of a request: its lines, prices and multiplier')
    .argument('<request-id>', 'the x-request-id of its answer', readId)
    .action((id: string) => run({ method: 'GET', path: `/api/v1/charges/${id}` }, describeCharge));
  charge
    .command('waive')
    .description('let a parked request cost nothing: what its tenant can spend is given back')
    .argument('<request-id>', 'the x-request-id of its answer', readId)
    .requiredOption('--why <text>', 'for whoever asks later')
    .action((id: string, { why }: { why: string }) => run({ method: 'POST', path: `/api/v1/charges/${id}/waive`, body: { why } }, describeCharge));
  addReconcile(program, { client: () => ManagementClient.of(world.dataFolder), print: (text) => world.print(text), json: world.json, exit: (code) => world.exit(code) });
  // --json is understood before and behind a command.
  for (const command of program.commands.flatMap((parent) => (parent.commands.length > 0 ? parent.commands : [parent]))) command.option('--json', 'print only JSON');
  return program;
}

function addAccounts(account: Command, { run, newId }: { run: Run; newId: () => string }): void {
  account
    .command('create')
    .description('make an account')
    .requiredOption('--name <name>', 'how people call it')
    .action(({ name }: { name: string }) => run({ method: 'POST', path: '/api/v1/accounts', body: { name } }));
  account
    .command('list')
    .description('all accounts, in order of creation')
    .option('--after <id>', 'begin behind this account', readId)
    .action(({ after }: { after?: string }) => run({ method: 'GET', path: `/api/v1/accounts${query({ after })}` }, describePage));
  account
    .command('show')
    .description('an account and its balance')
    .argument('<id>', 'its id', readId)
    .action((id: string) => run({ method: 'GET', path: `/api/v1/accounts/${id}` }));
  account
    .command('top-up')
    .description('add to a balance')
    .argument('<id>', 'the account', readId)
    .argument('<usd>', 'how much', readAmount)
    .option('--id <uuid>', 'of this top-up: the same id twice adds once', readId)
    .option('--memo <text>', 'why')
    .action(async (accountId: string, amount: string, options: { id?: string; memo?: string }) => {
      const body = { amount, ...options, id: options.id ?? newId() };
      try {
        await run({ method: 'POST', path: `/api/v1/accounts/${accountId}/top-ups`, body: withoutJson(body) });
      } catch (error) {
        if (!(error instanceof NoAnswerError)) throw error;
        throw new CommandError(`${error.message} Repeat it with --id ${body.id}: then it is added once, whatever happened now.`, { cause: error });
      }
    });
}

function addKeys(key: Command, run: Run): void {
  key
    .command('create')
    .description('make a key; it is shown once')
    .requiredOption('--account <id>', 'whose it is', readId)
    .requiredOption('--group <name>', 'which group it can call')
    .option('--user <id>', 'the user of the account who has it', readId)
    .option('--name <name>', 'how people call it')
    .action((options: { account: string; group: string; user?: string; name?: string }) => run({ method: 'POST', path: '/api/v1/keys', body: withoutJson(options) }));
  key
    .command('list')
    .description("an account's keys, in order of creation")
    .requiredOption('--account <id>', 'whose', readId)
    .option('--after <id>', 'begin behind this key', readId)
    .action(({ account, after }: { account: string; after?: string }) => run({ method: 'GET', path: `/api/v1/keys${query({ account, after })}` }, describePage));
  key
    .command('disable')
    .description('stop a key for ever, within 5 s')
    .argument('<id>', 'the id of the key, not the key itself', readId)
    .action((id: string) => run({ method: 'POST', path: `/api/v1/keys/${id}/disable`, body: {} }));
}

function addUsers(user: Command, run: Run): void {
  user
    .command('create')
    .description('make a user of an account')
    .requiredOption('--account <id>', 'whose', readId)
    .requiredOption('--name <name>', 'how people call it; once in an account')
    .action((options: { account: string; name: string }) => run({ method: 'POST', path: '/api/v1/users', body: withoutJson(options) }));
  user
    .command('list')
    .description("an account's users, in order of creation")
    .requiredOption('--account <id>', 'whose', readId)
    .option('--after <id>', 'begin behind this user', readId)
    .action(({ account, after }: { account: string; after?: string }) => run({ method: 'GET', path: `/api/v1/users${query({ account, after })}` }, describePage));
}

function query(values: Readonly<Record<string, string | undefined>>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== undefined);
  return given.length === 0 ? '' : `?${new URLSearchParams(given).toString()}`;
}

/** The option that every command has is not a field of its request. */
function withoutJson<Options extends object>(options: Options & { json?: boolean }): object {
  const { json: _json, ...fields } = options;
  return fields;
}

function sentenceOf(error: unknown): string {
  if (error instanceof CommanderError) return error.message.replace(/^error: /, '');
  if (error instanceof CommandError) return error.message;
  return `This should not happen: ${error instanceof Error ? error.stack : String(error)}`;
}
