import 'reflect-metadata';
import { runService } from '@tokone/service';
import { measuredServices, startGateway } from './gateway-service.js';
import { SETTINGS } from './settings.js';

const { argv, env: environment, stdin, stdout, stderr } = process;
const definition = { name: 'gateway', about: 'Takes the requests of tenants.', settings: SETTINGS, metrics: measuredServices, start: startGateway };
process.exit(await runService(definition, { argv: argv.slice(2), environment, stdin, stdout, stderr, now: Date.now }));
