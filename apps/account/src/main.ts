import 'reflect-metadata';
import { runService } from '@tokone/service';
import { startAccount } from './account-service.js';
import { SETTINGS } from './settings.js';

const { argv, env: environment, stdin, stdout, stderr } = process;
const definition = { name: 'account', about: 'Owns keys, groups, upstreams and the ledger.', settings: SETTINGS, metrics: () => ['account'] as const, start: startAccount };
process.exit(await runService(definition, { argv: argv.slice(2), environment, stdin, stdout, stderr, now: Date.now }));
