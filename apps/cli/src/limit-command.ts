import type { Command } from 'commander';
import { ArgumentError, readId, readLimit } from './argument.js';

/** One call of the management API, with its answer printed. */
export type RunLimitCall = (request: { method: 'GET' | 'PUT' | 'DELETE'; path: string; body?: object }) => Promise<void>;

interface Subject {
  account?: string;
  user?: string;
  key?: string;
  group?: string;
}

interface Limits {
  requests?: number;
  tokens?: number;
  concurrent?: number;
}

/** Limits of requests and tokens per minute, and of requests at a time. */
export function addLimits(limit: Command, run: RunLimitCall): void {
  ofSubject(limit.command('show'))
    .description('what is limited here')
    .action((options: Subject) => run({ method: 'GET', path: pathOf(options) }));
  ofSubject(limit.command('set'))
    .description('limit it; what is not given is not limited')
    .option('--requests <number>', 'requests in any 60 s', readLimit)
    .option('--tokens <number>', 'tokens in any 60 s', readLimit)
    .option('--concurrent <number>', 'requests at a time', readLimit)
    .addHelpText('after', '\nFor an account and a group together, none of the three lifts what the group has.')
    .action((options: Subject & Limits) => run({ method: 'PUT', path: pathOf(options), body: bodyOf(options) }));
  ofSubject(limit.command('clear'))
    .description('limit nothing here; an account in a group has the limits of the group again')
    .action((options: Subject) => run({ method: 'DELETE', path: pathOf(options) }));
}

function ofSubject(command: Command): Command {
  return command
    .option('--account <id>', 'of this account', readId)
    .option('--user <id>', 'of this user, all keys together', readId)
    .option('--key <id>', 'of this key, by its id', readId)
    .option('--group <name>', 'of every account in this group; with --account, of that account in it');
}

function pathOf({ account, user, key, group }: Subject): string {
  const named = Object.entries({ account, user, key, group }).filter((entry): entry is [string, string] => entry[1] !== undefined);
  if (named.length === 0) throw new ArgumentError('Say whose limits: --account, --user, --key or --group, or --account and --group together.');
  return `/api/v1/limits?${new URLSearchParams(named).toString()}`;
}

/** Without any: only where that means something, so that a forgotten number lifts nothing. */
function bodyOf({ account, group, requests, tokens, concurrent }: Subject & Limits): object {
  const none = requests === undefined && tokens === undefined && concurrent === undefined;
  if (none && (account === undefined || group === undefined)) throw new ArgumentError('Give at least one of --requests, --tokens and --concurrent, or use "limit clear".');
  return { requestsPerMinute: requests, tokensPerMinute: tokens, concurrentRequests: concurrent };
}
