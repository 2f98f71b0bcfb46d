import 'reflect-metadata';
import { runService } from '@tokone/service';
import { startBilling } from './billing-service.js';
import { SETTINGS } from './settings.js';

const { argv, env: environment, stdin, stdout, stderr } = process;
const definition = { name: 'billing', about: 'Rates usage and publishes charges.', settings: SETTINGS, metrics: () => ['billing'] as const, start: startBilling };
process.exit(await runService(definition, { argv: argv.slice(2), environment, stdin, stdout, stderr, now: Date.now }));
